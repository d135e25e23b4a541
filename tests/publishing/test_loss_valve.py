"""Losses of airtime through the real workflows, over fakes: documents held, documents published, and documents
restored.
"""

from datetime import date, timedelta
from zlib import crc32

from toy_world import EPISODES, ItemPut, SchedulePut, ScheduleRemoved, Slot, World

from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.publishing.policy import LossPolicy
from schedules_pipeline.publishing.ports.losses import HoldReason, LossKind, Verdict

_LOSSES = LossPolicy(smallest_share=0.5, whole_hours=3, service_hours=2.5)
"""Days of two hours: one may go within an hour, two may not."""

_TOMORROW = date(2026, 3, 29)
_ALDER, _BIRCH, _CEDAR = (ScheduleKey(Sid(sid), _TOMORROW) for sid in ("alder", "birch", "cedar"))
_ALDER_LATER = ScheduleKey(Sid("alder"), _TOMORROW + timedelta(days=1))
_KEYS = (_ALDER, _ALDER_LATER, _BIRCH, _CEDAR)


def _day(key: ScheduleKey, broadcasts: int = 4, episode: Pid | None = EPISODES[0]) -> SchedulePut:
    """A day of so many half-hour broadcasts of one episode."""
    slots = tuple(
        Slot(Pid(f"w{crc32(str(key).encode()):010}{number}"), episode) for number in range(broadcasts)
    )
    return SchedulePut(key, slots)


def _world() -> World:
    world = World(losses=_LOSSES)
    world.happen(ItemPut(EPISODES[0], "Harbour Lights"), *(_day(key) for key in _KEYS))
    world.settle()
    return world


def _shown(world: World) -> set[ScheduleKey]:
    return set(world.store.schedules.documents(_KEYS))


def _remove(world: World, *keys: ScheduleKey) -> None:
    world.happen(*(ScheduleRemoved(key) for key in keys))
    world.settle()


def test_one_day_may_be_removed() -> None:
    """It is published at once, and counts."""
    world = _world()

    _remove(world, _ALDER)

    assert _ALDER not in _shown(world)
    assert world.store.losses.holds() == {}
    assert world.store.losses.let_through()[_ALDER].seconds == 7_200


def test_services_that_vanish_together_are_held_together() -> None:
    """Partners keep both days, under one hold that names them."""
    world = _world()

    _remove(world, _ALDER, _BIRCH)

    assert _shown(world) == set(_KEYS)
    (loss,) = world.pipeline.holds.list()
    assert (loss.reason, loss.seconds, set(loss.held)) == (HoldReason.BUDGET, 14_400, {_ALDER, _BIRCH})
    assert {hold.kind for hold in loss.held.values()} == {LossKind.REMOVED}


def test_what_exceeds_the_budget_of_one_service_is_held_alone() -> None:
    """The other service's loss is let through."""
    world = World(losses=LossPolicy(smallest_share=0.5, whole_hours=100, service_hours=2.5))
    world.happen(ItemPut(EPISODES[0], "Harbour Lights"), *(_day(key) for key in _KEYS))
    world.settle()

    _remove(world, _ALDER, _ALDER_LATER, _BIRCH)

    assert _shown(world) == {_ALDER, _ALDER_LATER, _CEDAR}


def test_rejecting_restores_what_the_same_event_took_before() -> None:
    """Objects that are deleted one by one: the first is let through, and comes back byte for byte."""
    world = _world()
    before = world.store.schedules.documents([_ALDER])[_ALDER]
    for key in (_ALDER, _BIRCH, _CEDAR):
        _remove(world, key)
    (loss,) = world.pipeline.holds.list()
    assert (set(loss.held), set(loss.let_through)) == ({_BIRCH, _CEDAR}, {_ALDER})

    world.pipeline.holds.reject(loss, world.cause())
    world.settle()

    assert _shown(world) == set(_KEYS)
    after = world.store.schedules.documents([_ALDER])[_ALDER]
    assert before.partition(b'"broadcasts"')[2] == after.partition(b'"broadcasts"')[2]
    assert {each.verdict for each in world.pipeline.holds.list()} == {Verdict.REJECTED}


def test_a_restored_schedule_stays_through_every_pass_and_follows_its_source_again() -> None:
    """Reconciling and judging again change nothing; the next document does."""
    world = _world()
    for key in (_ALDER, _BIRCH):
        _remove(world, key)
    (loss,) = world.pipeline.holds.list()
    world.pipeline.holds.reject(loss, world.cause())
    world.settle()

    report = world.pipeline.reconciler.reconcile()
    world.pipeline.holds.revisit("again")
    world.settle()

    assert report.counts["differed"] == 0
    assert _shown(world) == set(_KEYS)
    world.happen(_day(_ALDER, 5))
    world.settle()
    assert _ALDER not in world.store.losses.holds()
    assert world.store.schedules.documents([_ALDER])[_ALDER].count(b'"broadcast_pid"') == 5


def test_confirming_publishes_what_is_held() -> None:
    """Also although the budget is used up."""
    world = _world()
    _remove(world, _ALDER, _BIRCH)
    (loss,) = world.pipeline.holds.list()

    world.pipeline.holds.confirm(loss, world.cause())

    assert _shown(world) == {_ALDER_LATER, _CEDAR}
    assert world.pipeline.holds.list() == []


def test_neither_time_nor_a_repetition_ends_a_hold_of_the_budget() -> None:
    """Only an operator, a fuller document, or the end of the day does."""
    world = _world()
    _remove(world, _ALDER, _BIRCH)

    world.clock.advance(timedelta(hours=3))
    _remove(world, _ALDER)
    world.pipeline.holds.revisit("again")
    world.settle()
    assert _shown(world) == set(_KEYS)

    world.happen(_day(_ALDER))
    world.settle()
    assert world.store.losses.holds().keys() == {_BIRCH}

    world.clock.advance(timedelta(days=2))
    world.pipeline.holds.revisit("the day is over")
    world.settle()
    assert world.store.losses.holds() == {}
    assert _BIRCH not in _shown(world)


def test_losing_known_episodes_is_a_loss() -> None:
    """The slots stay, but viewers would see nothing of them."""
    world = _world()

    world.happen(_day(_ALDER, episode=EPISODES[1]), _day(_BIRCH, episode=EPISODES[1]))
    world.settle()

    assert {hold.kind for hold in world.store.losses.holds().values()} == {LossKind.UNKNOWN_EPISODES}
    assert all(b"Harbour Lights" in document for document in world.store.schedules.documents(_KEYS).values())


def test_blanking_of_any_extent_is_published_at_once() -> None:
    """It is counted, so that operators hear of it."""
    world = _world()

    world.happen(*(_day(key, episode=None) for key in _KEYS))
    world.settle()

    assert world.store.losses.holds() == {}
    assert not any(b"Harbour" in document for document in world.store.schedules.documents(_KEYS).values())
    assert world.store.losses.blanked(world.clock()) == dict.fromkeys(_KEYS, timedelta(hours=2))


def test_an_episode_that_arrives_ends_the_hold() -> None:
    """The held document is judged again by the build that the episode causes."""
    world = _world()
    world.happen(_day(_ALDER, episode=EPISODES[1]), _day(_BIRCH, episode=EPISODES[1]))
    world.settle()

    world.happen(ItemPut(EPISODES[1], "Quiet Viaduct"))
    world.settle()

    assert world.store.losses.holds() == {}
    assert b"Quiet Viaduct" in world.store.schedules.documents([_ALDER])[_ALDER]


def test_a_schedule_that_is_whole_again_gives_its_share_back() -> None:
    """A day that is removed and put again within the hour leaves the budget as it was."""
    world = _world()
    _remove(world, _ALDER)
    world.happen(_day(_ALDER))
    world.settle()

    _remove(world, _BIRCH)

    assert world.store.losses.let_through().keys() == {_BIRCH}
    assert world.store.losses.holds() == {}


def test_reconciling_respects_holds() -> None:
    """A held schedule does not differ from its source."""
    world = _world()
    _remove(world, _ALDER, _BIRCH)

    report = world.pipeline.reconciler.reconcile()

    assert report.counts["differed"] == 0
    assert _shown(world) == set(_KEYS)


def test_a_service_that_never_fills_its_day_has_a_smaller_budget() -> None:
    """A quarter more than its longest normal day."""
    world = World(losses=LossPolicy(whole_hours=100, service_hours=30))
    today = world.clock().date()
    days = [ScheduleKey(Sid("alder"), today - timedelta(days=ago)) for ago in range(7, 0, -1)]
    world.happen(
        ItemPut(EPISODES[0], "Harbour Lights"), *(_day(key) for key in [*days, _ALDER, _ALDER_LATER])
    )
    world.settle()
    world.pipeline.expectations.learn()

    _remove(world, _ALDER, _ALDER_LATER)

    assert world.store.losses.holds().keys() == {_ALDER, _ALDER_LATER}


def test_a_document_that_is_nearly_whole_ends_a_hold_of_the_budget() -> None:
    """A document that lacks one hour of twelve differs from the held one."""
    world = World(losses=LossPolicy(whole_hours=13, service_hours=13))
    world.happen(ItemPut(EPISODES[0], "Harbour Lights"), _day(_ALDER, 20), _day(_BIRCH, 20))
    world.settle()
    _remove(world, _ALDER, _BIRCH)

    world.happen(_day(_ALDER, 19), _day(_BIRCH, 15))
    world.settle()

    assert world.store.losses.holds().keys() == {_BIRCH}
