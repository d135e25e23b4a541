"""How the mirror is kept up with the store."""

from collections.abc import Sequence
from datetime import timedelta
from threading import Event

import pytest
from delivery_stage import DeliveryStage
from fakes import Conditions
from toy_world import BROADCASTS, EPISODES, KEYS, ItemPut, SchedulePut, ScheduleRemoved, Slot

from schedules_pipeline.delivery.mirror import Mirror
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import ServiceError

_ALDER, _NEXT, _BIRCH = KEYS
_SLOTS = (Slot(BROADCASTS[0], EPISODES[0]), Slot(BROADCASTS[1], None))


class FailsAt(Conditions):
    """The store fails once: at its n-th step."""

    def __init__(self, number: int) -> None:
        self.left = number

    def checkpoint(self, step: str, about: Sequence[object] = ()) -> None:
        self.left -= 1
        if self.left == 0:
            raise ServiceError(f"the store failed at {step}")


@pytest.fixture
def stage() -> DeliveryStage:
    """Two schedules are published, and mirrored."""
    stage = DeliveryStage()
    stage.store.coldstarts.begin_epoch("first")
    stage.publish(
        [ItemPut(EPISODES[0], "Harbour Lights"), SchedulePut(_ALDER, _SLOTS), SchedulePut(_NEXT, _SLOTS)]
    )
    stage.keep_up()
    return stage


def _moved(key: ScheduleKey, minutes: int = 5) -> SchedulePut:
    return SchedulePut(key, _SLOTS, minutes)


def _documents(mirror: Mirror) -> dict[ScheduleKey, bytes]:
    return {held.key: document for held in mirror.everything() if (document := held.document())}


def _published(stage: DeliveryStage) -> dict[ScheduleKey, bytes]:
    return stage.store.schedules.documents(KEYS)


def _break(stage: DeliveryStage, conditions: Conditions) -> None:
    for fake in (stage.store.feed, stage.store.schedules, stage.store.coldstarts):
        fake.conditions = conditions


def test_everything_is_read_at_the_beginning(stage: DeliveryStage) -> None:
    """After the first round, the mirror holds all schedules and removals up to the feed's last row."""
    stage.publish([ScheduleRemoved(_NEXT)])

    stage.begin_delivery()

    mirror = stage.delivery.mirror
    removal = mirror.held(_NEXT)
    assert _documents(mirror) == _published(stage)
    assert removal is not None
    assert removal.is_removed
    assert (mirror.cursor.epoch, mirror.cursor.position) == ("first", stage.store.feed.last_position())
    assert mirror.confirmed_at == stage.clock()


def test_what_changes_is_followed(stage: DeliveryStage) -> None:
    """New versions, new schedules and removals come into the mirror, and their rows into the tail, in order."""
    before = stage.delivery.mirror.cursor.position
    stage.publish([_moved(_ALDER), SchedulePut(_BIRCH, _SLOTS), ScheduleRemoved(_NEXT)])

    stage.follow()

    rows = stage.delivery.tail.after(before, 9) or ()
    assert _documents(stage.delivery.mirror) == _published(stage)
    assert sorted(row.change.key for row in rows) == sorted(KEYS)
    assert stage.delivery.mirror.cursor.position == stage.store.feed.last_position()


def test_quiet_feed_is_confirmed(stage: DeliveryStage) -> None:
    """Where nothing has changed, the mirror says from when the store confirmed it."""
    stage.clock.advance(timedelta(minutes=1))

    stage.follower.follow(wait_seconds=0)

    assert stage.delivery.mirror.confirmed_at == stage.clock()


def test_past_hour_is_known_from_the_start(stage: DeliveryStage) -> None:
    """A process that has just begun knows the feed's rows of the last hour, and no earlier ones."""
    stage.clock.advance(timedelta(minutes=61))
    stage.publish([_moved(_ALDER)])
    stage.publish([_moved(_ALDER, 6), _moved(_NEXT, 6)])

    stage.begin_delivery()

    latest = stage.delivery.tail.latest(99)
    assert [row.position for row in latest] == ["5", "4", "3"]
    assert stage.delivery.tail.after("1", 9) is None


def test_document_that_is_gone_is_passed_over(stage: DeliveryStage) -> None:
    """If the document of a row is gone, the row is passed on and the held version stays."""
    before = _documents(stage.delivery.mirror)[_ALDER]
    stage.publish([_moved(_ALDER)])
    stage.store.schedules.kept[_ALDER].document = None

    stage.follow()

    assert _documents(stage.delivery.mirror)[_ALDER] == before
    assert stage.delivery.mirror.cursor.position == stage.store.feed.last_position()


def test_damaged_document_is_passed_over(stage: DeliveryStage) -> None:
    """A document that cannot be decoded replaces nothing, and does not delay other documents."""
    before = _documents(stage.delivery.mirror)[_ALDER]
    stage.publish([_moved(_ALDER), _moved(_NEXT)])
    stage.store.schedules.kept[_ALDER].document = b'{"sid":'

    stage.follow()

    assert _documents(stage.delivery.mirror)[_ALDER] == before
    assert _documents(stage.delivery.mirror)[_NEXT] == _published(stage)[_NEXT]


def test_another_epoch_begins_anew(stage: DeliveryStage) -> None:
    """In another keyspace everything is read again, and schedules that it lacks are dropped."""
    stage.store.coldstarts.renew_epoch("second")
    del stage.store.schedules.kept[_NEXT]

    stage.follow()

    assert stage.delivery.mirror.cursor.epoch == "second"
    assert list(_documents(stage.delivery.mirror)) == [_ALDER]


def test_first_epoch_begins_anew() -> None:
    """A keyspace that was read before it had an epoch is read again once it has one."""
    stage = DeliveryStage()
    stage.store.coldstarts.begin_epoch("first")

    stage.follow()

    assert stage.delivery.mirror.cursor.epoch == "first"


def test_lost_keyspace_takes_nothing_away(stage: DeliveryStage) -> None:
    """A missing epoch means that the store was lost: the mirror keeps its state, and the follower raises."""
    before = _documents(stage.delivery.mirror)
    stage.store.coldstarts.current_epoch = None
    stage.store.schedules.kept.clear()

    with pytest.raises(ServiceError, match="keyspace was lost"):
        stage.follower.follow(wait_seconds=0)

    assert _documents(stage.delivery.mirror) == before


def test_rows_that_were_trimmed_unread_begin_anew(stage: DeliveryStage) -> None:
    """After missing trimmed rows, the follower reads everything again."""
    stage.publish([_moved(_ALDER), ScheduleRemoved(_NEXT)])
    stage.clock.advance(timedelta(hours=1))
    stage.store.feed.trim(stage.clock())
    stage.publish([SchedulePut(_BIRCH, _SLOTS)])

    stage.follow()

    assert _documents(stage.delivery.mirror) == _published(stage)
    assert len(_published(stage)) == 2


def test_trimming_what_was_read_begins_nothing_anew(
    stage: DeliveryStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A feed in which nothing has happened for longer than it is kept is just confirmed."""
    stage.clock.advance(timedelta(days=20))
    stage.store.feed.trim(stage.clock())
    monkeypatch.setattr(stage.store.feed, "heads", lambda: pytest.fail("everything was read again"))

    stage.follow()

    assert stage.delivery.mirror.confirmed_at == stage.clock()


@pytest.mark.parametrize("begins_anew", [False, True])
def test_failing_store_loses_nothing(begins_anew: bool) -> None:
    """After a failure between any two calls, the next rounds bring the mirror up to date."""
    for number in range(1, 200):
        stage = _with_changes(begins_anew=begins_anew)
        conditions = FailsAt(number)
        _break(stage, conditions)

        _follow_through(stage)
        _break(stage, Conditions())

        assert _documents(stage.delivery.mirror) == _published(stage), f"failed at step {number}"
        assert stage.delivery.mirror.cursor.position == stage.store.feed.last_position()
        if conditions.left > 0:
            break
    assert number > 5


def _with_changes(*, begins_anew: bool) -> DeliveryStage:
    stage = DeliveryStage()
    stage.store.coldstarts.begin_epoch("first")
    stage.publish([SchedulePut(_ALDER, _SLOTS), SchedulePut(_NEXT, _SLOTS)])
    stage.keep_up()
    stage.publish([_moved(_ALDER), SchedulePut(_BIRCH, _SLOTS), ScheduleRemoved(_NEXT)])
    if begins_anew:
        stage.store.coldstarts.renew_epoch("second")
    return stage


def _follow_through(stage: DeliveryStage) -> None:
    for _ in range(4):
        try:
            stage.follower.follow(wait_seconds=0)
        except ServiceError:
            continue


def test_run_goes_on_after_whatever_befalls_it(stage: DeliveryStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a failing store nor a defect ends the follower's thread."""
    stop, rounds = Event(), iter([ServiceError("away"), KeyError("a defect"), None])

    def follow() -> None:
        if (error := next(rounds)) is not None:
            raise error
        stop.set()

    monkeypatch.setattr(stage.follower, "follow", follow)
    monkeypatch.setattr("schedules_pipeline.delivery.follower._PAUSE_SECONDS", 0)

    stage.follower.run(stop)

    assert next(rounds, "all were gone through") == "all were gone through"


def test_removals_are_forgotten_within_an_hour(stage: DeliveryStage) -> None:
    """A removal older than the feed's retention is dropped, also by a follower that starts again."""
    stage.publish([ScheduleRemoved(_NEXT)])
    stage.follow()
    known_at_first = stage.delivery.mirror.held(_NEXT)
    stage.clock.advance(timedelta(days=8, hours=1))
    stage.follow()
    known_later = stage.delivery.mirror.held(_NEXT)

    stage.begin_delivery()

    assert known_at_first is not None
    assert known_later is None
    assert stage.delivery.mirror.held(_NEXT) is None
