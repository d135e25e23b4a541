"""The work queue, on fakes and Redis alike: what is marked is claimed until a build of it is released."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from schedules_pipeline.composition import Store
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports.work import LONGEST_PAUSE, Claim, Failure, Mark

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


def _make_risky(store: Store, *keys: ScheduleKey) -> None:
    for key in keys:
        for _ in range(2):
            _fail(store, store.work.claim_exactly([key], _cause(9), _NOW, _LEASE), [key])


def test_empty_queue_gives_nothing(store: Store) -> None:
    """Where nothing is dirty there is no claim, and the backlog is empty."""
    claim = store.work.claim(10, _NOW, _LEASE)

    backlog = store.work.backlog()

    assert claim is None
    assert backlog.is_empty
    assert backlog.oldest_due_at is None


def test_marks_of_one_schedule_are_one_piece_of_work(store: Store) -> None:
    """However often a schedule is marked, it is claimed once, with its causes in order."""
    _mark(store, _A, cause=1)
    _mark(store, _A, _A, cause=2)

    claim = _claim(store)

    assert _keys(claim) == [_A]
    assert claim.work[0].causes == (_cause(1), _cause(2), _cause(2))
    assert claim.work[0].cause_count == 3
    assert claim.work[0].attempts == 0


def test_earliest_due_time_counts(store: Store) -> None:
    """A mark may hurry a schedule that is dirty already, and never delays it."""
    _mark(store, _A, due_at=_after(30))
    _mark(store, _B, due_at=_after(20))
    _mark(store, _A, due_at=_after(10))
    _mark(store, _A, due_at=_after(50))

    claim = _claim(store)

    assert _keys(claim) == [_A, _B]


def test_most_urgent_are_claimed_first(store: Store) -> None:
    """A claim takes no more than its limit, the earliest due first, and of equals by their names."""
    _mark(store, _C, due_at=_after(5))
    _mark(store, _B, _A, due_at=_after(10))

    first, second = _claim(store, limit=2), _claim(store, limit=2)

    assert _keys(first) == [_C, _A]
    assert _keys(second) == [_B]
    assert second.token > first.token


def test_fractions_of_a_second_order_marks(store: Store) -> None:
    """Due times a thousandth of a second apart are told apart."""
    _mark(store, _A, due_at=_after(0.002))
    _mark(store, _B, due_at=_after(0.001))

    claim = _claim(store)

    assert _keys(claim) == [_B, _A]
    assert store.work.backlog().oldest_due_at is None


def test_only_the_first_causes_are_kept_in_full(store: Store) -> None:
    """Five causes are kept, the oldest; all are counted."""
    for number in range(8):
        _mark(store, _A, cause=number)

    work = _claim(store).work[0]

    assert work.causes == tuple(_cause(number) for number in range(5))
    assert work.cause_count == 8


def test_schedule_in_progress_is_not_handed_out_again(store: Store) -> None:
    """What is marked while it is being built waits until that build is released, and is then built again."""
    _mark(store, _A, cause=1)
    claim = _claim(store)
    _mark(store, _A, cause=2)

    meanwhile = store.work.claim(10, _NOW, _LEASE)
    store.work.release(claim, [_A])
    afterwards = _claim(store)

    assert meanwhile is None
    assert afterwards.work[0].causes == (_cause(2),)


def test_schedules_in_progress_do_not_hide_others(store: Store) -> None:
    """However many dirty schedules are in progress, those behind them are found."""
    _mark(store, _A, _B, _C)
    _claim(store)
    _mark(store, _A, _B, _C, due_at=_after(-60))
    _mark(store, _D, due_at=_after(60))

    claim = _claim(store, limit=1)

    assert _keys(claim) == [_D]


def test_released_work_is_done(store: Store) -> None:
    """After a release nothing is left, and the next mark starts with no attempts and its own causes."""
    _mark(store, _A, cause=1)
    store.work.release(_claim(store), [_A])
    was_empty = store.work.backlog().is_empty
    _mark(store, _A, cause=2)

    work = _claim(store).work[0]

    assert was_empty
    assert (work.causes, work.cause_count, work.attempts) == ((_cause(2),), 1, 0)


def test_release_of_nothing_does_nothing(store: Store) -> None:
    """Releasing and postponing no schedules is allowed, for a batch may have none of either."""
    _mark(store, _A)
    claim = _claim(store)

    store.work.release(claim, [])
    store.work.postpone(claim, {}, counts=True)
    store.work.mark([])

    assert store.work.unfinished([_A, _B]) == {_A}
    assert store.work.unfinished([]) == set()


def test_expired_lease_returns_work(store: Store) -> None:
    """A worker that died loses its schedule when the lease ends, not before; it counts as an attempt."""
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
    """Merging old and new causes keeps the oldest five and counts all."""
    for number in range(4):
        _mark(store, _A, cause=number)
    _claim(store)
    for number in range(4, 8):
        _mark(store, _A, cause=number)

    work = _claim(store, now=_after(500)).work[0]

    assert work.causes == tuple(_cause(number) for number in range(5))
    assert work.cause_count == 8


def test_release_of_an_overtaken_claim_does_nothing(store: Store) -> None:
    """A slow worker cannot release what was claimed anew since, nor postpone it."""
    _mark(store, _A)
    slow = _claim(store)
    _claim(store, now=_after(500))

    store.work.release(slow, [_A])
    _fail(store, slow, [_A], retry_at=None)

    assert store.work.backlog().in_progress == 1
    assert store.work.quarantined() == {}


def test_late_release_before_anybody_else_counts(store: Store) -> None:
    """A lease that ran out unnoticed is still released by its holder."""
    _mark(store, _A)
    slow = _claim(store)

    store.work.release(slow, [_A])

    assert store.work.claim(10, _after(500), _LEASE) is None


def test_exact_claim_takes_what_is_not_dirty(store: Store) -> None:
    """Schedules that nobody has marked can be claimed by name, for a cause."""
    claim = store.work.claim_exactly([_B, _A], _cause(3), _NOW, _LEASE)

    assert _keys(claim) == [_B, _A]
    assert claim.work[0].causes == (_cause(3),)
    assert claim.work[0].cause_count == 1
    assert store.work.backlog().in_progress == 2


def test_exact_claim_of_nothing_is_empty(store: Store) -> None:
    """A claim of no schedules holds no work and leaves the queue as it is."""
    _mark(store, _A)

    claim = store.work.claim_exactly([], _cause(3), _NOW, _LEASE)

    assert claim.work == ()
    assert store.work.backlog().pending == 1


def test_exact_claim_overtakes_its_holder(store: Store) -> None:
    """It takes a schedule from whoever has it, with all causes, and the holder can no longer release it."""
    _mark(store, _A, cause=1)
    holder = _claim(store)
    _mark(store, _A, cause=2)

    claim = store.work.claim_exactly([_A], _cause(3), _NOW, _LEASE)
    store.work.release(holder, [_A])

    assert claim.token > holder.token
    assert claim.work[0].causes == (_cause(1), _cause(2), _cause(3))
    assert store.work.unfinished([_A]) == {_A}
    assert store.work.backlog().pending == 0


def test_exact_claim_takes_what_waits(store: Store) -> None:
    """A schedule that waits for a retry is claimed at once, and does not come back when its time has come."""
    _mark(store, _A)
    _fail(store, _claim(store), [_A], retry_at=_after(10))

    claim = store.work.claim_exactly([_A], _cause(3), _NOW, _LEASE)
    store.work.release(claim, [_A])

    assert store.work.claim(10, _after(20), _LEASE) is None
    assert store.work.backlog().is_empty


def test_failed_work_waits_for_its_time(store: Store) -> None:
    """A postponed schedule is not dirty until its retry time, then comes with its causes and one attempt."""
    _mark(store, _A, cause=1)
    _fail(store, _claim(store), [_A], retry_at=_after(10))
    backlog = store.work.backlog()

    early = store.work.claim(10, _after(9.9), _LEASE)
    late = _claim(store, now=_after(10))

    assert (backlog.pending, backlog.in_progress, backlog.waiting) == (0, 0, 1)
    assert not backlog.is_empty
    assert early is None
    assert late.work[0].causes == (_cause(1),)
    assert late.work[0].attempts == 1


def test_failure_of_the_world_is_no_attempt(store: Store) -> None:
    """A postponement that does not count leaves the attempts as they were."""
    _mark(store, _A)
    store.work.postpone(_claim(store), {_A: Failure("no answer", _NOW)}, counts=False)

    work = _claim(store).work[0]

    assert work.attempts == 0


def test_mark_brings_forward_what_waits(store: Store) -> None:
    """News for a waiting schedule makes it dirty at once; when its time comes it is not built again."""
    _mark(store, _A, cause=1)
    _fail(store, _claim(store), [_A], retry_at=_after(10))
    _mark(store, _A, cause=2)

    claim = _claim(store)
    store.work.release(claim, [_A])

    assert claim.work[0].causes == (_cause(1), _cause(2))
    assert store.work.claim(10, _after(20), _LEASE) is None


def test_failed_work_that_was_marked_meanwhile_stays_dirty(store: Store) -> None:
    """There is news that may mend it, so it does not wait."""
    _mark(store, _A, cause=1)
    claim = _claim(store)
    _mark(store, _A, cause=2)

    _fail(store, claim, [_A], retry_at=_after(600))

    again = _claim(store)
    assert _keys(again) == [_A]
    assert again.work[0].attempts == 1


def test_hopeless_work_is_set_aside(store: Store) -> None:
    """Without a retry time a schedule leaves the backlog, and its reason is kept."""
    _mark(store, _A)

    _fail(store, _claim(store), [_A], retry_at=None)

    backlog = store.work.backlog()
    assert store.work.quarantined() == {_A: "it broke"}
    assert backlog.is_empty
    assert backlog.quarantined == 1
    assert store.work.unfinished([_A]) == set()


def test_mark_brings_back_what_was_set_aside(store: Store) -> None:
    """A new mark is a new chance; once built, the schedule is no longer set aside and has no attempts."""
    _mark(store, _A)
    _fail(store, _claim(store), [_A], retry_at=None)
    _mark(store, _A)

    claim = _claim(store)
    store.work.release(claim, [_A])
    _mark(store, _A)

    assert claim.work[0].attempts == 0
    assert store.work.quarantined() == {}
    assert _claim(store).work[0].attempts == 0


def test_risky_work_is_handed_out_alone(store: Store) -> None:
    """A schedule that failed twice comes alone where it is first, and lets others go ahead where it is not."""
    _mark(store, _B, due_at=_after(-1))
    _make_risky(store, _A)
    _mark(store, _A, _C)

    claims = [_keys(_claim(store)) for _ in range(2)]

    assert claims == [[_B, _C], [_A]]


def test_risky_work_comes_one_at_a_time(store: Store) -> None:
    """Several risky schedules are as many claims."""
    _make_risky(store, _A, _B)
    _mark(store, _A, _B)

    claims = [_keys(_claim(store)) for _ in range(2)]

    assert claims == [[_A], [_B]]
    assert store.work.claim(10, _NOW, _LEASE) is None


def test_deaths_make_risky(store: Store) -> None:
    """Two leases that ran out are as bad as two failures."""
    _mark(store, _A, _B)
    _claim(store)
    _claim(store, now=_after(200))

    third = _claim(store, now=_after(400))

    assert len(third.work) == 1
    assert third.work[0].attempts == 2


def test_parts_of_a_claim_are_settled_apart(store: Store) -> None:
    """Some of a claim may be released and others postponed."""
    _mark(store, _A, _B, _C)
    claim = _claim(store)

    _fail(store, claim, [_B], retry_at=_after(10))
    store.work.release(claim, [_A])

    backlog = store.work.backlog()
    assert (backlog.pending, backlog.in_progress, backlog.waiting) == (0, 1, 1)
    assert store.work.unfinished([_A, _B, _C]) == {_B, _C}


def test_backlog_tells_the_oldest_due_time(store: Store) -> None:
    """Operators see since when the most urgent dirty schedule has been due."""
    _mark(store, _A, due_at=_after(3))
    _mark(store, _B, due_at=_after(2))

    backlog = store.work.backlog()

    assert backlog.pending == 2
    assert backlog.oldest_due_at == _after(2)


@pytest.mark.parametrize("marked", [1, 3])
def test_wait_ends_at_a_mark(store: Store, marked: int) -> None:
    """Whoever waits is woken by marks, however many there were; a test that hung would show the contrary."""
    for _ in range(marked):
        _mark(store, _A)

    store.work.wait(60)

    assert store.work.backlog().pending == 1


def test_a_renewed_lease_ends_later(store: Store) -> None:
    """A claim whose lease was renewed is not handed out again when its first lease would have ended."""
    _mark(store, _A)
    claim = _claim(store)

    store.work.renew(claim, _NOW + 3 * _LEASE)

    assert store.work.claim(10, _NOW + 2 * _LEASE, _LEASE) is None
    assert _keys(_claim(store, now=_NOW + 4 * _LEASE)) == [_A]


def test_a_claim_that_was_taken_over_is_not_renewed(store: Store) -> None:
    """Renewing has no effect on schedules that somebody else has claimed since, nor on none."""
    _mark(store, _A)
    first = _claim(store)
    store.work.claim_exactly([_A], _cause(1), _NOW, _LEASE)

    store.work.renew(first, _NOW + 9 * _LEASE)
    store.work.renew(Claim(99, ()), _NOW + 9 * _LEASE)

    assert _keys(_claim(store, now=_NOW + 2 * _LEASE)) == [_A]


def test_a_lease_never_outlives_one_that_begins_now(store: Store) -> None:
    """A claim by a worker whose clock was an hour ahead holds its schedule no longer than any other."""
    _mark(store, _A)
    assert store.work.claim(10, _after(3_600), _LEASE) is not None

    held = store.work.claim(10, _NOW, _LEASE)

    assert held is None
    assert _keys(_claim(store, now=_NOW + _LEASE)) == [_A]


def test_nothing_waits_longer_than_the_longest_pause(store: Store) -> None:
    """A retry that was set by a clock an hour ahead comes after the longest pause at the latest."""
    _mark(store, _A)
    _fail(store, _claim(store), [_A], retry_at=_after(3_600))

    early = store.work.claim(10, _NOW, _LEASE)

    assert early is None
    assert _keys(_claim(store, now=_NOW + LONGEST_PAUSE)) == [_A]


def test_failures_are_forgotten(store: Store) -> None:
    """A schedule that is none of ours any more is no longer listed as set aside; others are."""
    _mark(store, _A, _B)
    claim = _claim(store)
    store.work.postpone(claim, dict.fromkeys([_A, _B], Failure("broken", None)), counts=True)

    store.work.forget([_A])
    store.work.forget([])

    assert store.work.quarantined() == {_B: "broken"}


def test_causes_of_a_failed_build_join_those_marked_meanwhile(store: Store) -> None:
    """Where a schedule is marked again while its build fails, the next build knows of both causes, oldest first."""
    _mark(store, _A, cause=1)
    claim = _claim(store)
    _mark(store, _A, cause=2)

    _fail(store, claim, [_A])

    [work] = _claim(store).work
    assert (work.causes, work.cause_count) == ((_cause(1), _cause(2)), 2)


def test_a_lease_that_ended_long_ago_is_no_attempt(store: Store) -> None:
    """After an outage, or a clock that was wrong by as much, schedules are not blamed for builds that died."""
    _mark(store, _A)
    _claim(store)

    after_an_outage = _claim(store, now=_NOW + _LEASE + 2 * LONGEST_PAUSE)

    assert [work.attempts for work in after_an_outage.work] == [0]


def test_a_clock_that_is_a_little_behind_takes_nothing_from_others(store: Store) -> None:
    """A worker whose clock is minutes behind leaves the leases of the others as they are."""
    _mark(store, _A)
    _claim(store)

    store.work.claim(10, _NOW - timedelta(minutes=5), _LEASE)

    assert store.work.claim(10, _after(1), _LEASE) is None
