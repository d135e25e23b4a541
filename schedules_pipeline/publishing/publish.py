"""Claims pending schedules, rebuilds them, and releases or postpones the claim.

If a store or source does not answer, the batch is retried soon, and this counts as no attempt. If a schedule itself
fails, it waits longer before each retry. After :data:`MAXIMUM_ATTEMPTS` it is quarantined, and the check ``is_built``
fails until a build succeeds.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime, timedelta

from schedules_pipeline.domain.causes import Cause
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import AttemptsExhausted, ServiceError
from schedules_pipeline.publishing.ports import PublishingStore
from schedules_pipeline.publishing.ports.work import (
    LONGEST_PAUSE,
    RISKY_ATTEMPTS,
    Claim,
    Failure,
    Work,
)
from schedules_pipeline.publishing.rebuild import EMPTY_BATCH, BatchResult, Rebuilder

BATCH_SIZE = 300
LEASE_FOR = timedelta(seconds=30)
"""The publisher renews it while it builds, so this is how long the work of a dead publisher waits."""

MAXIMUM_ATTEMPTS = 8
_EXHAUSTED = f"its build failed or died {MAXIMUM_ATTEMPTS} times"
_NAMED = 3
_FIRST_RETRY = timedelta(seconds=2)
_PAUSE_AFTER_OUTAGE = timedelta(seconds=5)
_LONG_AGO = datetime.fromtimestamp(0, UTC)
"""A retry at this time is due at once for every clock."""

_MOST_DOUBLINGS = 3
"""The longest pause after an outage is 40 seconds, so that partners are not behind for long after it."""

_RENEW_EVERY_SECONDS = LEASE_FOR.total_seconds() / 3
_LONGEST_BUILD = timedelta(minutes=10)
"""A batch that takes longer hangs, so its leases are allowed to expire."""

KeepAlive = Callable[[Callable[[], None], timedelta], AbstractContextManager[None]]
"""Calls a function now and then until its block ends, for so long at most."""


@contextmanager
def renew_in_background(renew: Callable[[], None], at_most: timedelta) -> Iterator[None]:
    """Call ``renew`` on a thread until the block ends, or until it has run for this long.

    If the store does not answer, the thread tries again at the next interval.
    """
    over = threading.Event()

    def run() -> None:
        for _ in range(int(at_most.total_seconds() / _RENEW_EVERY_SECONDS)):
            if over.wait(_RENEW_EVERY_SECONDS):
                return
            with suppress(ServiceError):
                renew()

    thread = threading.Thread(target=run, name="lease renewal", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def in_batches(keys: Sequence[ScheduleKey]) -> Iterator[Sequence[ScheduleKey]]:
    """The keys in order, :data:`BATCH_SIZE` at a time."""
    for start in range(0, len(keys), BATCH_SIZE):
        yield keys[start : start + BATCH_SIZE]


class Publisher:
    def __init__(
        self, store: PublishingStore, rebuilder: Rebuilder, clock: Clock, keep_alive: KeepAlive
    ) -> None:
        self._store = store
        self._rebuilder = rebuilder
        self._clock = clock
        self._keep_alive = keep_alive
        self._outages = 0

    def publish_next(self, limit: int = BATCH_SIZE) -> BatchResult | None:
        """Rebuild the most urgent pending schedules; None if there are none.

        Raises :class:`ServiceError` if a service failed; the schedules are claimed again later.
        """
        claim = self.claim_next(limit)
        return None if claim is None else self.build(claim)

    def claim_next(self, limit: int = BATCH_SIZE) -> Claim | None:
        """Claim the most urgent pending schedules; None if there are none."""
        return self._store.work.claim(limit, self._clock(), LEASE_FOR)

    def build(self, claim: Claim) -> BatchResult:
        """Rebuild the claimed schedules, and release them. Raises as :meth:`publish_next`."""
        return self._build(self._quarantine_exhausted(claim))

    def give_back(self, claim: Claim) -> None:
        """Make the schedules of an unfinished build claimable at once. A build of them that continues can commit until
        another worker has claimed them.
        """
        returned = Failure("its publisher has ended", _LONG_AGO)
        self._store.work.postpone(claim, {work.key: returned for work in claim.work}, counts=False)

    def publish_all(self, limit: int = BATCH_SIZE) -> list[BatchResult]:
        """Publish until nothing is pending. Schedules that wait for a retry are left to their time."""
        batches = []
        while (batch := self.publish_next(limit)) is not None:
            batches.append(batch)
        return batches

    def rebuild_from_sources(
        self, keys: Sequence[ScheduleKey], cause: Cause, recorded_by: str = ""
    ) -> BatchResult:
        """Fetch and build these schedules now, trusting neither the accepted sources nor the catalogue copies.

        They are claimed, so if this process dies, a publisher builds them. If the build of all fails, each is built
        alone, as is each that has failed or died repeatedly before. Schedules that fail are in ``failed``, and the work
        queue retries them.
        """
        self._store.schedules.count_source_change(keys)
        claim = self._store.work.claim_exactly(keys, cause, self._clock(), LEASE_FOR)
        sound = self._quarantine_exhausted(claim)
        exhausted = {work.key for work in claim.work} - {work.key for work in sound.work}
        errors = {key: AttemptsExhausted(f"schedule {key}: {_EXHAUSTED}") for key in exhausted}
        batches = [self._build_or_split(group, cause, recorded_by) for group in _groups(sound)]
        return sum(batches, BatchResult((), errors, 0.0))

    def _build_or_split(self, claim: Claim, cause: Cause, recorded_by: str) -> BatchResult:
        try:
            return self._build(claim, refresh_cause=cause, recorded_by=recorded_by)
        except ServiceError:
            raise
        except Exception as error:  # noqa: BLE001 - it was postponed with its reason, and counted
            keys = [work.key for work in claim.work]
            if len(keys) == 1:
                return BatchResult((), {keys[0]: error}, 0.0)
            return sum((self.rebuild_from_sources([key], cause, recorded_by) for key in keys), EMPTY_BATCH)

    def _quarantine_exhausted(self, claim: Claim) -> Claim:
        """The claim without the schedules whose builds have failed or died too often."""
        exhausted = [work for work in claim.work if work.attempts >= MAXIMUM_ATTEMPTS]
        self._store.work.postpone(
            claim, {work.key: Failure(_EXHAUSTED, None) for work in exhausted}, counts=False
        )
        return Claim(claim.token, tuple(work for work in claim.work if work not in exhausted))

    def _build(
        self, claim: Claim, *, refresh_cause: Cause | None = None, recorded_by: str = ""
    ) -> BatchResult:
        try:
            with self._keep_alive(
                lambda: self._store.work.renew(claim, self._clock() + LEASE_FOR), _LONGEST_BUILD
            ):
                batch = self._rebuilder.build(claim, refresh_cause=refresh_cause, recorded_by=recorded_by)
        except ServiceError as error:
            # If the work queue does not answer either, the leases expire.
            with suppress(ServiceError):
                self._retry_soon(claim, {work.key: error for work in claim.work})
            raise
        except Exception as error:
            error.add_note(_while_building(claim))
            now = self._clock()
            failures = {work.key: _failure(work, error, now) for work in claim.work}
            self._store.work.postpone(claim, failures, counts=True)
            raise
        except BaseException:
            # The process was told to end.
            with suppress(ServiceError):
                self.give_back(claim)
            raise
        if batch.built:
            self._outages = 0
        self._retry_soon(claim, batch.failed)
        self._store.work.release(claim, [built.key for built in batch.built])
        return batch

    def _retry_soon(self, claim: Claim, failed: Mapping[ScheduleKey, Exception]) -> None:
        """A service failed, which does not count as an attempt of the schedule, however long it lasts.

        The pause doubles with each batch in a row of which nothing was built.
        """
        if not failed:
            return
        pause = _PAUSE_AFTER_OUTAGE * 2**self._outages
        self._outages = min(self._outages + 1, _MOST_DOUBLINGS)
        retry_at = self._clock() + pause
        failures = {key: Failure(str(error), retry_at) for key, error in failed.items()}
        self._store.work.postpone(claim, failures, counts=False)


def _while_building(claim: Claim) -> str:
    first = ", ".join(str(work.key) for work in claim.work[:_NAMED])
    return f"while building {first}" + (" and others" if len(claim.work) > _NAMED else "")


def _groups(claim: Claim) -> list[Claim]:
    """All schedules together, but each alone that has failed or died repeatedly."""
    sound = tuple(work for work in claim.work if work.attempts < RISKY_ATTEMPTS)
    alone = [(work,) for work in claim.work if work.attempts >= RISKY_ATTEMPTS]
    return [Claim(claim.token, group) for group in (sound, *alone) if group]


def _failure(work: Work, error: Exception, now: datetime) -> Failure:
    """Each retry waits twice as long; after the last one the schedule is quarantined."""
    reason = f"{type(error).__name__}: {error}"
    if work.attempts + 1 >= MAXIMUM_ATTEMPTS:
        return Failure(reason, None)
    return Failure(reason, now + min(LONGEST_PAUSE, _FIRST_RETRY * 2**work.attempts))
