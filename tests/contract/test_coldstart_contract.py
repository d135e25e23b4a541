"""The book of the coldstart, on fakes and Redis alike."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from schedules_pipeline.composition import Store
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.maintenance.ports.coldstart import Coldstart, Epoch, Request, Stage

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


def test_before_the_first_there_is_none(store: Store) -> None:
    """A new keyspace knows of no coldstart, has no epoch, and its intake is not stopped."""
    assert store.coldstarts.latest() is None
    assert store.coldstarts.epoch() is None
    assert not store.coldstarts.intake_is_paused()


def test_an_open_one_is_the_answer_to_another_request(store: Store) -> None:
    """Who asks for a coldstart while one is open gets that one, as it was asked for."""
    first = store.coldstarts.open("one", _REQUEST)

    second = store.coldstarts.open("two", replace(_REQUEST, reason="again", purge=False))

    assert first == second == store.coldstarts.latest() == Coldstart("one", _REQUEST, Stage.REQUESTED)


def test_one_worker_prepares(store: Store) -> None:
    """One worker at a time has the leave to prepare, may renew it, and says thereby that it is alive."""
    store.coldstarts.open("one", _REQUEST)

    answers = [store.coldstarts.lead("one", f"run {n}", _NOW, _LEASE) for n in (1, 2, 1)]

    assert answers == [True, False, True]
    assert (_latest(store).stage, _latest(store).alive_at) == (Stage.PREPARING, _NOW)


def test_another_worker_prepares_where_the_first_is_silent(store: Store, pass_time: PassTime) -> None:
    """When the lease has ended, whoever comes next may prepare."""
    store.coldstarts.open("one", _REQUEST)
    store.coldstarts.lead("one", "run 1", _NOW, _LEASE)

    pass_time(2 * _LEASE)

    assert store.coldstarts.lead("one", "run 2", _NOW, _LEASE)


def test_what_is_listed_is_left_until_it_is_built(store: Store) -> None:
    """Schedules are taken in the order of their shard, again and again until they are built; the counts follow."""
    _begin(store, [_B, _A, _D], [_C])
    before = [store.coldstarts.next_keys("one", 0, 2, _NOW) for _ in range(2)]

    store.coldstarts.record_built("one", [_B, _A], {"published": 2})
    store.coldstarts.record_built("one", [], {"published": 9})

    assert before == [[_B, _A], [_B, _A]]
    assert store.coldstarts.next_keys("one", 0, 2, _NOW) == [_D]
    latest = _latest(store)
    assert (latest.stage, latest.total, latest.left, latest.published) == (Stage.BUILDING, 4, 2, 2)


def test_a_worker_helps_where_its_shard_is_done(store: Store) -> None:
    """Where nothing is left of its own shard a worker takes from the end of what is left of others."""
    _begin(store, [], [_A, _B, _C])

    assert store.coldstarts.next_keys("one", 0, 2, _NOW) == [_C, _B]


def test_nothing_is_led_or_listed_once_it_is_prepared(store: Store) -> None:
    """A preparer that was slow changes nothing any more."""
    _begin(store, [_A])

    assert not store.coldstarts.lead("one", "run 1", _NOW, _LEASE)
    store.coldstarts.list_work("one", [[_B, _C]], _NOW)
    assert store.coldstarts.next_keys("one", 0, 9, _NOW) == [_A]


def test_it_ends_once(store: Store) -> None:
    """The first end counts, with what was left; the intake goes on, and nothing is taken any more."""
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


def test_who_worked_at_an_earlier_one_harms_no_later_one(store: Store) -> None:
    """What is done under the id of a coldstart that has ended has no effect on the next."""
    _begin(store, [_A])
    store.coldstarts.end("one", Stage.FINISHED, _NOW)
    store.coldstarts.open("two", _REQUEST)
    opened = _latest(store)

    store.coldstarts.lead("one", "run 1", _NOW, _LEASE)
    store.coldstarts.list_work("one", [[_A]], _NOW)
    store.coldstarts.record_built("one", [_A], {"published": 1})
    store.coldstarts.end("one", Stage.FINISHED, _NOW)

    assert _latest(store) == opened == Coldstart("two", _REQUEST, Stage.REQUESTED)


def test_the_intake_goes_on_by_itself(store: Store, pass_time: PassTime) -> None:
    """The intake stands still for as long as it was said, and no longer."""
    store.coldstarts.pause_intake(_LEASE)
    paused = store.coldstarts.intake_is_paused()

    pass_time(2 * _LEASE)

    assert paused
    assert not store.coldstarts.intake_is_paused()


def test_the_pulse_of_an_epoch_grows(store: Store) -> None:
    """An epoch is begun once, and each beat tells what it was before; without an epoch there is no beat."""
    without = store.coldstarts.record_heartbeat()
    store.coldstarts.begin_epoch("one")
    store.coldstarts.begin_epoch("two")

    beats = [store.coldstarts.record_heartbeat(), store.coldstarts.record_heartbeat()]

    assert without is None
    assert beats == [Epoch("one", 0), Epoch("one", 1)]
    assert store.coldstarts.epoch() == Epoch("one", 2)


def test_an_epoch_is_renewed_where_there_is_one(store: Store) -> None:
    """Another life begins where there was one, and its pulse goes on; an empty keyspace stays without any."""
    store.coldstarts.renew_epoch("too early")
    without = store.coldstarts.epoch()
    store.coldstarts.begin_epoch("one")
    store.coldstarts.record_heartbeat()

    store.coldstarts.renew_epoch("two")

    assert without is None
    assert store.coldstarts.epoch() == Epoch("two", 1)


def test_many_are_listed(store: Store) -> None:
    """More schedules than one command takes are listed whole."""
    many = [ScheduleKey.parse(f"alder_{n}/2026-03-28") for n in range(2_500)]

    _begin(store, many)

    assert _latest(store).total == 2_500
    assert store.coldstarts.next_keys("one", 0, 300, _NOW) == many[:300]


def test_what_is_settled_is_not_rejected(store: Store) -> None:
    """Once it is settled it may be abandoned and finished, and no more refused; another one is not settled by it."""
    store.coldstarts.open("one", _REQUEST)
    store.coldstarts.confirm("one")
    store.coldstarts.confirm("two")

    rejected = store.coldstarts.end("one", Stage.REJECTED, _NOW, "too few")

    assert not rejected
    assert (_latest(store).stage, _latest(store).is_confirmed) == (Stage.REQUESTED, True)
    assert store.coldstarts.end("one", Stage.ABANDONED, _NOW)
    assert not store.coldstarts.open("two", _REQUEST).is_confirmed
