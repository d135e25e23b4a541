"""The store of coldstarts, on fakes and Redis alike."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from schedules_pipeline.composition import Store
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.maintenance.continuity import Epoch
from schedules_pipeline.maintenance.ports import Coldstart, Request, Stage

PassTime = Callable[[timedelta], None]

_NOW = datetime(2026, 3, 28, 12, 0, 0, 5, tzinfo=UTC)
_LEASE = timedelta(seconds=60)
_REQUEST = Request("the bucket was restored", _NOW, purge=True)
_A, _B, _C, _D = (ScheduleKey.parse(f"{sid}/2026-03-28") for sid in ("alder", "birch", "cedar", "downy"))


def _begin(store: Store, *shards: list[ScheduleKey]) -> None:
    store.coldstarts.open("one", _REQUEST)
    store.coldstarts.lead("one", "run 1", _NOW, _LEASE)
    store.coldstarts.list_work("one", shards, _NOW)


def _latest(store: Store) -> Coldstart:
    latest = store.coldstarts.latest()
    assert latest is not None
    return latest


def test_a_new_keyspace_has_no_coldstart(store: Store) -> None:
    """It has no epoch either, and its intake is not paused."""
    assert store.coldstarts.latest() is None
    assert store.coldstarts.epoch() is None
    assert not store.coldstarts.intake_is_paused()


def test_a_request_joins_the_open_coldstart(store: Store) -> None:
    """A request while a coldstart is open returns that one, as it was requested."""
    first = store.coldstarts.open("one", _REQUEST)

    second = store.coldstarts.open("two", replace(_REQUEST, reason="again", purge=False))

    assert first == second == store.coldstarts.latest() == Coldstart("one", _REQUEST, Stage.REQUESTED)


def test_one_worker_prepares(store: Store) -> None:
    """One worker at a time may prepare; it renews its lease, which shows that it is alive."""
    store.coldstarts.open("one", _REQUEST)

    answers = [store.coldstarts.lead("one", f"run {n}", _NOW, _LEASE) for n in (1, 2, 1)]

    assert answers == [True, False, True]
    assert (_latest(store).stage, _latest(store).alive_at) == (Stage.PREPARING, _NOW)


def test_another_worker_prepares_after_the_lease(store: Store, pass_time: PassTime) -> None:
    """When the lease has ended, the next worker may prepare."""
    store.coldstarts.open("one", _REQUEST)
    store.coldstarts.lead("one", "run 1", _NOW, _LEASE)

    pass_time(2 * _LEASE)

    assert store.coldstarts.lead("one", "run 2", _NOW, _LEASE)


def test_listed_schedules_are_left_until_they_are_built(store: Store) -> None:
    """Schedules are taken in the order of their shard until they are built, and the counts follow."""
    _begin(store, [_B, _A, _D], [_C])
    before = [store.coldstarts.next_keys("one", 0, 2, _NOW) for _ in range(2)]

    store.coldstarts.record_built("one", [_B, _A], {"published": 2})
    store.coldstarts.record_built("one", [], {"published": 9})

    assert before == [[_B, _A], [_B, _A]]
    assert store.coldstarts.next_keys("one", 0, 2, _NOW) == [_D]
    latest = _latest(store)
    assert (latest.stage, latest.total, latest.left, latest.published) == (Stage.BUILDING, 4, 2, 2)


def test_a_worker_helps_after_its_own_shard(store: Store) -> None:
    """When its own shard is finished, a worker takes from the end of the others."""
    _begin(store, [], [_A, _B, _C])

    assert store.coldstarts.next_keys("one", 0, 2, _NOW) == [_C, _B]


def test_a_prepared_coldstart_cannot_be_prepared_again(store: Store) -> None:
    """A slow worker changes nothing after another has finished the preparation."""
    _begin(store, [_A])

    assert not store.coldstarts.lead("one", "run 1", _NOW, _LEASE)
    store.coldstarts.list_work("one", [[_B, _C]], _NOW)
    assert store.coldstarts.next_keys("one", 0, 9, _NOW) == [_A]


def test_a_coldstart_ends_once(store: Store) -> None:
    """The first end counts, with the schedules that were left. The intake resumes, and no worker gets another batch."""
    _begin(store, [_A, _B])
    store.coldstarts.pause_intake(_LEASE)

    ends = [store.coldstarts.end("one", stage, _NOW, "enough") for stage in (Stage.ABANDONED, Stage.FINISHED)]

    assert ends == [True, False]
    assert not store.coldstarts.intake_is_paused()
    assert store.coldstarts.next_keys("one", 0, 9, _NOW) == []
    latest = _latest(store)
    assert (latest.stage, latest.left, latest.problem, latest.ended_at) == (
        Stage.ABANDONED,
        2,
        "enough",
        _NOW,
    )


def test_an_ended_coldstart_does_not_affect_the_next(store: Store) -> None:
    """Calls with the id of an ended coldstart have no effect on the next one."""
    _begin(store, [_A])
    store.coldstarts.end("one", Stage.FINISHED, _NOW)
    store.coldstarts.open("two", _REQUEST)
    opened = _latest(store)

    store.coldstarts.lead("one", "run 1", _NOW, _LEASE)
    store.coldstarts.list_work("one", [[_A]], _NOW)
    store.coldstarts.record_built("one", [_A], {"published": 1})
    store.coldstarts.end("one", Stage.FINISHED, _NOW)

    assert _latest(store) == opened == Coldstart("two", _REQUEST, Stage.REQUESTED)


def test_the_pause_of_the_intake_expires(store: Store, pass_time: PassTime) -> None:
    """The intake is paused for the given time, and no longer."""
    store.coldstarts.pause_intake(_LEASE)
    paused = store.coldstarts.intake_is_paused()

    pass_time(2 * _LEASE)

    assert paused
    assert not store.coldstarts.intake_is_paused()


def test_an_epoch_begins_once(store: Store) -> None:
    """A keyspace that was filled without a coldstart gets an epoch, which later calls leave as it is."""
    store.coldstarts.begin_epoch("one")
    store.coldstarts.begin_epoch("two")

    assert store.coldstarts.epoch() == Epoch("one")


def test_many_schedules_are_listed(store: Store) -> None:
    """More schedules than one command takes are listed."""
    many = [ScheduleKey.parse(f"alder_{n}/2026-03-28") for n in range(2_500)]

    _begin(store, many)

    assert _latest(store).total == 2_500
    assert store.coldstarts.next_keys("one", 0, 300, _NOW) == many[:300]


def test_a_confirmed_coldstart_is_not_rejected(store: Store) -> None:
    """It may still be abandoned or finished; the confirmation does not affect another coldstart."""
    store.coldstarts.open("one", _REQUEST)
    store.coldstarts.confirm("one")
    store.coldstarts.confirm("two")

    rejected = store.coldstarts.end("one", Stage.REJECTED, _NOW, "too few")

    assert not rejected
    assert (_latest(store).stage, _latest(store).is_confirmed) == (Stage.REQUESTED, True)
    assert store.coldstarts.end("one", Stage.ABANDONED, _NOW)
    assert not store.coldstarts.open("two", _REQUEST).is_confirmed
