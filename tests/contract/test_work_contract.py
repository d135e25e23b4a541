"""The work queue, on fakes and Redis alike: a marked schedule is claimed until a build of it is released."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from schedules_pipeline.composition import Store
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports.work import Claim, Failure, Mark

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_LEASE = timedelta(seconds=120)
_A, _B, _C, _D = (ScheduleKey.parse(f"{sid}/2026-03-28") for sid in ("alder", "birch", "cedar", "downy"))


def _after(seconds: float) -> datetime:
    return _NOW + timedelta(seconds=seconds)


def _cause(number: int) -> Cause:
    return Cause(f"event {number}", Origin.CATALOGUE, "p0000001", _after(number))


def _mark(store: Store, *keys: ScheduleKey, due_at: datetime = _NOW, cause: int = 0) -> None:
    store.work.mark([Mark(key, due_at, _cause(cause)) for key in keys])


def _claim(store: Store, limit: int = 10, now: datetime = _NOW) -> Claim:
    claim = store.work.claim(limit, now, _LEASE)
    assert claim is not None
    return claim


def _keys(claim: Claim | None) -> list[ScheduleKey]:
    return [] if claim is None else [work.key for work in claim.work]


def _fail(store: Store, claim: Claim, keys: Sequence[ScheduleKey], retry_at: datetime | None = _NOW) -> None:
    store.work.postpone(claim, dict.fromkeys(keys, Failure("it broke", retry_at)), counts=True)


def test_empty_queue_has_no_claim(store: Store) -> None:
    """Without pending schedules there is no claim, and the backlog is empty."""
    claim = store.work.claim(10, _NOW, _LEASE)

    backlog = store.work.backlog()

    assert claim is None
    assert backlog.is_empty
    assert backlog.oldest_due_at is None


def test_marks_of_one_schedule_are_one_piece_of_work(store: Store) -> None:
    """A schedule that is marked many times is claimed once, with its causes in order."""
    _mark(store, _A, cause=1)
    _mark(store, _A, _A, cause=2)

    claim = _claim(store)

    assert _keys(claim) == [_A]
    assert claim.work[0].causes == (_cause(1), _cause(2), _cause(2))
    assert claim.work[0].cause_count == 3
    assert claim.work[0].attempts == 0


def test_earliest_due_time_counts(store: Store) -> None:
    """A mark may bring a pending schedule forward, and never delays it."""
    _mark(store, _A, due_at=_after(30))
    _mark(store, _B, due_at=_after(20))
    _mark(store, _A, due_at=_after(10))
    _mark(store, _A, due_at=_after(50))

    claim = _claim(store)

    assert _keys(claim) == [_A, _B]


def test_most_urgent_are_claimed_first(store: Store) -> None:
    """A claim takes at most its limit, by due time and then by name."""
    _mark(store, _C, due_at=_after(5))
    _mark(store, _B, _A, due_at=_after(10))

    first, second = _claim(store, limit=2), _claim(store, limit=2)

    assert _keys(first) == [_C, _A]
    assert _keys(second) == [_B]
    assert second.token > first.token


def test_fractions_of_a_second_order_marks(store: Store) -> None:
    """Due times that differ by a thousandth of a second are kept in order."""
    _mark(store, _A, due_at=_after(0.002))
    _mark(store, _B, due_at=_after(0.001))

    claim = _claim(store)

    assert _keys(claim) == [_B, _A]
    assert store.work.backlog().oldest_due_at is None


def test_only_the_first_causes_are_kept(store: Store) -> None:
    """The five oldest causes are kept; all are counted."""
    for number in range(8):
        _mark(store, _A, cause=number)

    work = _claim(store).work[0]

    assert work.causes == tuple(_cause(number) for number in range(5))
    assert work.cause_count == 8


def test_schedule_in_progress_is_not_claimed_again(store: Store) -> None:
    """A schedule that is marked during its build is built again after the release."""
    _mark(store, _A, cause=1)
    claim = _claim(store)
    _mark(store, _A, cause=2)

    meanwhile = store.work.claim(10, _NOW, _LEASE)
    store.work.release(claim, [_A])
    afterwards = _claim(store)

    assert meanwhile is None
    assert afterwards.work[0].causes == (_cause(2),)


def test_schedules_in_progress_do_not_hide_others(store: Store) -> None:
    """A claim finds the schedules behind any number of pending ones in progress."""
    _mark(store, _A, _B, _C)
    _claim(store)
    _mark(store, _A, _B, _C, due_at=_after(-60))
    _mark(store, _D, due_at=_after(60))

    claim = _claim(store, limit=1)

    assert _keys(claim) == [_D]


def test_released_work_is_done(store: Store) -> None:
    """After a release the queue is empty, and the next mark starts without attempts and with its own causes."""
    _mark(store, _A, cause=1)
    store.work.release(_claim(store), [_A])
    was_empty = store.work.backlog().is_empty
    _mark(store, _A, cause=2)

    work = _claim(store).work[0]

    assert was_empty
    assert (work.causes, work.cause_count, work.attempts) == ((_cause(2),), 1, 0)


def test_a_mark_tells_how_many_schedules_are_pending(store: Store) -> None:
    """Those that were marked before count, and those that are being built do not; nothing is said without a mark."""
    pending = [store.work.mark([Mark(key, _NOW, _cause(1))]) for key in (_A, _A, _B)]
    _claim(store)
    after_claim = store.work.mark([Mark(_B, _NOW, _cause(2))])

    assert (pending, after_claim, store.work.mark([])) == ([1, 1, 2], 1, 0)


def test_empty_release_and_postponement_are_allowed(store: Store) -> None:
    """A batch may release no schedule, or postpone none."""
    _mark(store, _A)
    claim = _claim(store)

    store.work.release(claim, [])
    store.work.postpone(claim, {}, counts=True)
    store.work.mark([])

    assert store.work.unfinished([_A, _B]) == {_A}
    assert store.work.unfinished([]) == set()


def test_expired_lease_returns_work(store: Store) -> None:
    """A dead worker loses its schedule when the lease ends, and this counts as an attempt."""
    _mark(store, _A, cause=1)
    dead = _claim(store)
    _mark(store, _A, cause=2)

    early = store.work.claim(10, _after(119.9), _LEASE)
    late = _claim(store, now=_after(120))

    assert early is None
    assert late.token > dead.token
    assert late.work[0].attempts == 1
    assert late.work[0].causes == (_cause(1), _cause(2))
    assert late.work[0].cause_count == 2


def test_causes_of_a_dead_worker_stay_within_bounds(store: Store) -> None:
    """Merging old and new causes keeps the five oldest and counts all."""
    for number in range(4):
        _mark(store, _A, cause=number)
    _claim(store)
    for number in range(4, 8):
        _mark(store, _A, cause=number)

    work = _claim(store, now=_after(500)).work[0]

    assert work.causes == tuple(_cause(number) for number in range(5))
    assert work.cause_count == 8


def test_release_of_an_overtaken_claim_does_nothing(store: Store) -> None:
    """A slow worker can neither release nor postpone a schedule that was claimed again."""
    _mark(store, _A)
    slow = _claim(store)
    _claim(store, now=_after(500))

    store.work.release(slow, [_A])
    _fail(store, slow, [_A], retry_at=None)

    assert store.work.backlog().in_progress == 1
    assert store.work.quarantined() == {}


def test_late_release_counts_if_there_was_no_other_claim(store: Store) -> None:
    """The holder of an expired lease can still release its schedule."""
    _mark(store, _A)
    slow = _claim(store)

    store.work.release(slow, [_A])

    assert store.work.claim(10, _after(500), _LEASE) is None


def test_exact_claim_takes_unmarked_schedules(store: Store) -> None:
    """A schedule without marks can be claimed by name, for a cause."""
    claim = store.work.claim_exactly([_B, _A], _cause(3), _NOW, _LEASE)

    assert _keys(claim) == [_B, _A]
    assert claim.work[0].causes == (_cause(3),)
    assert claim.work[0].cause_count == 1
    assert store.work.backlog().in_progress == 2


def test_exact_claim_of_nothing_is_empty(store: Store) -> None:
    """A claim of no schedules holds no work and leaves the queue unchanged."""
    _mark(store, _A)

    claim = store.work.claim_exactly([], _cause(3), _NOW, _LEASE)

    assert claim.work == ()
    assert store.work.backlog().pending == 1


def test_exact_claim_overtakes_its_holder(store: Store) -> None:
    """It takes a schedule with all causes from the worker that holds it, which can no longer release it."""
    _mark(store, _A, cause=1)
    holder = _claim(store)
    _mark(store, _A, cause=2)

    claim = store.work.claim_exactly([_A], _cause(3), _NOW, _LEASE)
    store.work.release(holder, [_A])

    assert claim.token > holder.token
    assert claim.work[0].causes == (_cause(1), _cause(2), _cause(3))
    assert store.work.unfinished([_A]) == {_A}
    assert store.work.backlog().pending == 0


def test_exact_claim_takes_waiting_schedules(store: Store) -> None:
    """A schedule that waits for a retry is claimed at once, and its retry is cancelled."""
    _mark(store, _A)
    _fail(store, _claim(store), [_A], retry_at=_after(10))

    claim = store.work.claim_exactly([_A], _cause(3), _NOW, _LEASE)
    store.work.release(claim, [_A])

    assert store.work.claim(10, _after(20), _LEASE) is None
    assert store.work.backlog().is_empty


def test_parts_of_a_claim_end_independently(store: Store) -> None:
    """Some schedules of a claim may be released and others postponed."""
    _mark(store, _A, _B, _C)
    claim = _claim(store)

    _fail(store, claim, [_B], retry_at=_after(10))
    store.work.release(claim, [_A])

    backlog = store.work.backlog()
    assert (backlog.pending, backlog.in_progress, backlog.waiting) == (0, 1, 1)
    assert store.work.unfinished([_A, _B, _C]) == {_B, _C}


def test_backlog_tells_the_oldest_due_time(store: Store) -> None:
    """The backlog has the due time of the most urgent pending schedule."""
    _mark(store, _A, due_at=_after(3))
    _mark(store, _B, due_at=_after(2))

    backlog = store.work.backlog()

    assert backlog.pending == 2
    assert backlog.oldest_due_at == _after(2)


@pytest.mark.parametrize("marked", [1, 3])
def test_wait_ends_at_a_mark(store: Store, marked: int) -> None:
    """A mark, or several, ends the wait; otherwise this test would hang."""
    for _ in range(marked):
        _mark(store, _A)

    store.work.wait(60)

    assert store.work.backlog().pending == 1


def test_a_renewed_lease_ends_later(store: Store) -> None:
    """A schedule with a renewed lease is not claimed again when the first lease would have ended."""
    _mark(store, _A)
    claim = _claim(store)

    store.work.renew(claim, _NOW + 3 * _LEASE)

    assert store.work.claim(10, _NOW + 2 * _LEASE, _LEASE) is None
    assert _keys(_claim(store, now=_NOW + 4 * _LEASE)) == [_A]


def test_a_claim_that_was_taken_over_is_not_renewed(store: Store) -> None:
    """Renewing has no effect on schedules that another worker has claimed since."""
    _mark(store, _A)
    first = _claim(store)
    store.work.claim_exactly([_A], _cause(1), _NOW, _LEASE)

    store.work.renew(first, _NOW + 9 * _LEASE)
    store.work.renew(Claim(99, ()), _NOW + 9 * _LEASE)

    assert _keys(_claim(store, now=_NOW + 2 * _LEASE)) == [_A]


def test_skipped_tokens_are_given_to_no_claim(store: Store) -> None:
    """After a loss of writes no later claim has a token that an earlier one may have had."""
    _mark(store, _A)
    before = store.work.claim(1, _NOW, _LEASE)
    store.work.skip_tokens()
    _mark(store, _B)

    after = store.work.claim(1, _NOW, _LEASE)

    assert before is not None
    assert after is not None
    assert after.token > before.token + 100_000
