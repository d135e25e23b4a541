"""Learning from published schedules, and the uses of the learned ranges, over fakes."""

from datetime import date, timedelta

from toy_world import EPISODES, ItemPut, SchedulePut, Slot, World

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.publishing.check_schedules import CheckName, CheckResult
from schedules_pipeline.publishing.ports.expectations import Measure

_ALDER = Sid("alder")


def _put(world: World, day: date, broadcasts: int) -> ScheduleKey:
    """A day of so many half-hour broadcasts."""
    key = ScheduleKey(_ALDER, day)
    slots = tuple(Slot(Pid(f"w{day:%m%d}{number:03}"), EPISODES[0]) for number in range(1, broadcasts + 1))
    world.happen(SchedulePut(key, slots))
    return key


def _world_with_history(days: int, broadcasts: int = 4) -> World:
    world = World()
    world.happen(ItemPut(EPISODES[0], "Harbour Lights"))
    today = world.clock().date()
    for ago in range(days, 0, -1):
        _put(world, today - timedelta(days=ago), broadcasts)
    world.settle()
    world.pipeline.expectations.learn()
    return world


def _cause(world: World) -> Cause:
    return Cause("a test", Origin.OPERATOR, "all", world.clock())


def _check(world: World, key: ScheduleKey) -> CheckResult:
    world.settle()
    (result,) = [
        r for r in world.pipeline.checker.check([key])[key] if r.name is CheckName.WITHIN_EXPECTED_RANGE
    ]
    return result


def test_the_last_week_is_learned() -> None:
    """The learner reads the published schedules of ended days."""
    world = _world_with_history(9)

    (expectation,) = world.pipeline.store.expectations.all().values()

    assert len(expectation.observed) == 7
    assert expectation.observed[0].measured == {
        Measure.BROADCASTS: 4.0,
        Measure.HOURS: 2.0,
        Measure.CHANGES: 0.0,
        Measure.REPEATS: 0.0,
        Measure.UNKNOWN: 0.0,
    }
    assert not world.pipeline.expectations.report().outliers


def test_a_service_that_is_gone_is_forgotten() -> None:
    """Nothing is expected of it any more."""
    world = _world_with_history(5)
    world.clock.advance(timedelta(days=60))
    for key in world.store.feed.heads():
        world.upstreams.schedule_source.remove(key)
    world.pipeline.publisher.rebuild_from_sources(list(world.store.feed.heads()), _cause(world))

    world.pipeline.expectations.learn()

    assert world.pipeline.store.expectations.all() == {}


def test_the_check_says_value_range_and_days() -> None:
    """A day with far fewer hours is reported with the expected range."""
    world = _world_with_history(7)
    tomorrow = world.clock().date() + timedelta(days=1)

    normal = _check(world, _put(world, tomorrow, 4))
    unusual = _check(world, _put(world, tomorrow + timedelta(days=1), 12))

    assert normal.passed
    assert not unusual.passed
    assert "hours covered 6, expected" in unusual.summary
    assert "(learned from 7 days)" in unusual.summary
    assert unusual.facts["values"]["hours covered"]["value"] == 6.0


def test_without_history_the_check_passes_and_says_so() -> None:
    """So does a day that may still be filled."""
    new, learned = _world_with_history(0), _world_with_history(7)

    first = _check(new, _put(new, new.clock().date(), 4))
    far = _check(learned, _put(learned, learned.clock().date() + timedelta(days=20), 1))

    assert (first.passed, first.summary) == (True, "too few days were published to know the expected range")
    assert (far.passed, far.summary) == (True, "more than a week ahead, so it may still be filled")
