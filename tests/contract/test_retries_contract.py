"""Failed and dead builds in the work queue, on fakes and Redis alike: retries, quarantine, and wrong clocks."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

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


def test_failed_work_waits_for_its_time(store: Store) -> None:
    """A postponed schedule becomes pending at its retry time, with its causes and one attempt."""
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


def test_failure_of_a_service_is_no_attempt(store: Store) -> None:
    """A postponement that does not count leaves the attempts unchanged."""
    _mark(store, _A)
    store.work.postpone(_claim(store), {_A: Failure("no answer", _NOW)}, counts=False)

    work = _claim(store).work[0]

    assert work.attempts == 0


def test_mark_ends_the_wait_for_a_retry(store: Store) -> None:
    """A mark makes a waiting schedule pending at once, and its retry is cancelled."""
    _mark(store, _A, cause=1)
    _fail(store, _claim(store), [_A], retry_at=_after(10))
    _mark(store, _A, cause=2)

    claim = _claim(store)
    store.work.release(claim, [_A])

    assert claim.work[0].causes == (_cause(1), _cause(2))
    assert store.work.claim(10, _after(20), _LEASE) is None


def test_failed_work_that_was_marked_again_stays_pending(store: Store) -> None:
    """The new input may end the failure, so the schedule does not wait."""
    _mark(store, _A, cause=1)
    claim = _claim(store)
    _mark(store, _A, cause=2)

    _fail(store, claim, [_A], retry_at=_after(600))

    again = _claim(store)
    assert _keys(again) == [_A]
    assert again.work[0].attempts == 1


def test_exhausted_work_is_quarantined(store: Store) -> None:
    """Without a retry time a schedule leaves the backlog, and its reason is kept."""
    _mark(store, _A)

    _fail(store, _claim(store), [_A], retry_at=None)

    backlog = store.work.backlog()
    assert store.work.quarantined() == {_A: "it broke"}
    assert backlog.is_empty
    assert backlog.quarantined == 1
    assert store.work.unfinished([_A]) == set()


def test_mark_ends_a_quarantine(store: Store) -> None:
    """A new mark makes the schedule pending; once built, it is not quarantined and has no attempts."""
    _mark(store, _A)
    _fail(store, _claim(store), [_A], retry_at=None)
    _mark(store, _A)

    claim = _claim(store)
    store.work.release(claim, [_A])
    _mark(store, _A)

    assert claim.work[0].attempts == 0
    assert store.work.quarantined() == {}
    assert _claim(store).work[0].attempts == 0


def test_risky_work_is_claimed_alone(store: Store) -> None:
    """A schedule that failed twice is claimed alone if it is the first, and otherwise left for a later claim."""
    _mark(store, _B, due_at=_after(-1))
    _make_risky(store, _A)
    _mark(store, _A, _C)

    claims = [_keys(_claim(store)) for _ in range(2)]

    assert claims == [[_B, _C], [_A]]


def test_risky_work_is_claimed_one_at_a_time(store: Store) -> None:
    """Each risky schedule needs a claim of its own."""
    _make_risky(store, _A, _B)
    _mark(store, _A, _B)

    claims = [_keys(_claim(store)) for _ in range(2)]

    assert claims == [[_A], [_B]]
    assert store.work.claim(10, _NOW, _LEASE) is None


def test_deaths_make_risky(store: Store) -> None:
    """Two expired leases count as much as two failures."""
    _mark(store, _A, _B)
    _claim(store)
    _claim(store, now=_after(200))

    third = _claim(store, now=_after(400))

    assert len(third.work) == 1
    assert third.work[0].attempts == 2


def test_a_lease_never_outlives_one_that_begins_now(store: Store) -> None:
    """A claim by a worker whose clock is an hour ahead lasts no longer than any other."""
    _mark(store, _A)
    assert store.work.claim(10, _after(3_600), _LEASE) is not None

    held = store.work.claim(10, _NOW, _LEASE)

    assert held is None
    assert _keys(_claim(store, now=_NOW + _LEASE)) == [_A]


def test_nothing_waits_longer_than_the_longest_pause(store: Store) -> None:
    """A retry that was set by a clock an hour ahead is due after the longest pause."""
    _mark(store, _A)
    _fail(store, _claim(store), [_A], retry_at=_after(3_600))

    early = store.work.claim(10, _NOW, _LEASE)

    assert early is None
    assert _keys(_claim(store, now=_NOW + LONGEST_PAUSE)) == [_A]


def test_failures_are_forgotten(store: Store) -> None:
    """A forgotten schedule is no longer quarantined; others are."""
    _mark(store, _A, _B)
    claim = _claim(store)
    store.work.postpone(claim, dict.fromkeys([_A, _B], Failure("broken", None)), counts=True)

    store.work.forget([_A])
    store.work.forget([])

    assert store.work.quarantined() == {_B: "broken"}


def test_causes_of_a_failed_build_join_those_of_new_marks(store: Store) -> None:
    """If a schedule is marked while its build fails, the next build has both causes, oldest first."""
    _mark(store, _A, cause=1)
    claim = _claim(store)
    _mark(store, _A, cause=2)

    _fail(store, claim, [_A])

    [work] = _claim(store).work
    assert (work.causes, work.cause_count) == ((_cause(1), _cause(2)), 2)


def test_a_lease_that_ended_long_ago_is_no_attempt(store: Store) -> None:
    """After a long outage, or with a wrong clock, expired leases do not count as attempts."""
    _mark(store, _A)
    _claim(store)

    after_an_outage = _claim(store, now=_NOW + _LEASE + 2 * LONGEST_PAUSE)

    assert [work.attempts for work in after_an_outage.work] == [0]


def test_a_clock_behind_leaves_leases_alone(store: Store) -> None:
    """A worker whose clock is minutes behind does not shorten the leases of others."""
    _mark(store, _A)
    _claim(store)

    store.work.claim(10, _NOW - timedelta(minutes=5), _LEASE)

    assert store.work.claim(10, _after(1), _LEASE) is None
