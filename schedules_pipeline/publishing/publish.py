"""Claims what is dirty, rebuilds it, and settles the claim, whatever happens.

A failure of the world (a store or source that does not answer) puts the batch back for a moment and counts
against nobody. A failure of one schedule puts it back for longer each time, and after
:data:`MAXIMUM_ATTEMPTS` aside, where the check ``is_built`` shows it until a build succeeds.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime, timedelta

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
"""Renewed while a batch is built; so this is how long the work of a publisher that died has to wait."""

MAXIMUM_ATTEMPTS = 8
_GIVEN_UP = f"its build failed or died {MAXIMUM_ATTEMPTS} times"
_NAMED = 3
_FIRST_RETRY = timedelta(seconds=2)
_PAUSE_FOR_THE_WORLD = timedelta(seconds=5)

_RENEW_EVERY_SECONDS = LEASE_FOR.total_seconds() / 3
_LONGEST_BUILD_SECONDS = 600.0
"""A batch that takes longer hangs, so its leases are allowed to expire."""

KeepAlive = Callable[[Callable[[], None]], AbstractContextManager[None]]
"""Calls a function now and then until its block ends."""


@contextmanager
def renew_in_background(renew: Callable[[], None]) -> Iterator[None]:
    """Call ``renew`` on a thread until the block ends, or until it has run for too long.

    If the store does not answer, the thread tries again at the next interval.
    """
    over = threading.Event()

    def run() -> None:
        for _ in range(int(_LONGEST_BUILD_SECONDS / _RENEW_EVERY_SECONDS)):
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


class Publisher:
    def __init__(
        self, store: PublishingStore, rebuilder: Rebuilder, clock: Clock, keep_alive: KeepAlive
    ) -> None:
        self._store = store
        self._rebuilder = rebuilder
        self._clock = clock
        self._keep_alive = keep_alive

    def publish_next(self, limit: int = BATCH_SIZE) -> BatchResult | None:
        """Rebuild the most urgent dirty schedules; None where there are none.

        Raises :class:`ServiceError` where the world failed; the schedules are claimed again later.
        """
        claim = self._store.work.claim(limit, self._clock(), LEASE_FOR)
        return None if claim is None else self._build(self._set_hopeless_aside(claim))

    def publish_all(self, limit: int = BATCH_SIZE) -> list[BatchResult]:
        """Go on until nothing is dirty. What waits for a retry is left to its time."""
        batches = []
        while (batch := self.publish_next(limit)) is not None:
            batches.append(batch)
        return batches

    def rebuild_from_sources(
        self, keys: Sequence[ScheduleKey], cause: Cause, recorded_by: str = ""
    ) -> BatchResult:
        """Fetch and build these schedules now, trusting neither our accepted sources nor our copies.

        They are claimed like any others, so a crash in the middle leaves them to be built by somebody else.
        One that breaks the build of all holds up no other: all are then built one by one, and so is any that
        failed or died repeatedly before. What failed waits in the work queue, and is in ``failed``.
        """
        self._store.schedules.count_source_change(keys)
        claim = self._store.work.claim_exactly(keys, cause, self._clock(), LEASE_FOR)
        hopeful = self._set_hopeless_aside(claim)
        given_up = {work.key for work in claim.work} - {work.key for work in hopeful.work}
        total = BatchResult(
            (), {key: AttemptsExhausted(f"schedule {key}: {_GIVEN_UP}") for key in given_up}, 0.0
        )
        return sum((self._rebuild(group, cause, recorded_by) for group in _groups(hopeful)), total)

    def _rebuild(self, claim: Claim, cause: Cause, recorded_by: str) -> BatchResult:
        try:
            return self._build(claim, refresh_cause=cause, recorded_by=recorded_by)
        except ServiceError:
            raise
        except Exception as error:  # noqa: BLE001 - it was put back with its reason, and counted
            keys = [work.key for work in claim.work]
            if len(keys) == 1:
                return BatchResult((), {keys[0]: error}, 0.0)
            return sum((self.rebuild_from_sources([key], cause, recorded_by) for key in keys), EMPTY_BATCH)

    def _set_hopeless_aside(self, claim: Claim) -> Claim:
        """Do not build again what has cost so many workers their lives; it was handed out alone since the second."""
        hopeless = [work for work in claim.work if work.attempts >= MAXIMUM_ATTEMPTS]
        self._store.work.postpone(
            claim, {work.key: Failure(_GIVEN_UP, None) for work in hopeless}, counts=False
        )
        return Claim(claim.token, tuple(work for work in claim.work if work not in hopeless))

    def _build(
        self, claim: Claim, *, refresh_cause: Cause | None = None, recorded_by: str = ""
    ) -> BatchResult:
        try:
            with self._keep_alive(lambda: self._store.work.renew(claim, self._clock() + LEASE_FOR)):
                batch = self._rebuilder.build(claim, refresh_cause=refresh_cause, recorded_by=recorded_by)
        except ServiceError as error:
            self._put_back(claim, error)
            raise
        except Exception as error:
            error.add_note(_while_building(claim))
            self._postpone(claim, dict.fromkeys([work.key for work in claim.work], error))
            raise
        self._postpone_unfetched(claim, batch.failed)
        self._store.work.release(claim, [built.key for built in batch.built])
        return batch

    def _put_back(self, claim: Claim, error: ServiceError) -> None:
        """If the queue does not answer either, the leases will expire."""
        retry_at = self._clock() + _PAUSE_FOR_THE_WORLD
        failures = {work.key: Failure(str(error), retry_at) for work in claim.work}
        try:
            self._store.work.postpone(claim, failures, counts=False)
        except ServiceError:
            return

    def _postpone_unfetched(self, claim: Claim, failed: Mapping[ScheduleKey, Exception]) -> None:
        """A source that does not answer is nobody's failure, however long it lasts."""
        retry_at = self._clock() + _PAUSE_FOR_THE_WORLD
        failures = {key: Failure(str(error), retry_at) for key, error in failed.items()}
        self._store.work.postpone(claim, failures, counts=False)

    def _postpone(self, claim: Claim, failed: Mapping[ScheduleKey, Exception]) -> None:
        now = self._clock()
        self._store.work.postpone(
            claim,
            {work.key: _failure(work, failed[work.key], now) for work in claim.work if work.key in failed},
            counts=True,
        )


def _while_building(claim: Claim) -> str:
    first = ", ".join(str(work.key) for work in claim.work[:_NAMED])
    return f"while building {first}" + (" and others" if len(claim.work) > _NAMED else "")


def _groups(claim: Claim) -> list[Claim]:
    """All together, but for those that failed or died so often that each is built alone."""
    sound = tuple(work for work in claim.work if work.attempts < RISKY_ATTEMPTS)
    alone = [(work,) for work in claim.work if work.attempts >= RISKY_ATTEMPTS]
    return [Claim(claim.token, group) for group in (sound, *alone) if group]


def _failure(work: Work, error: Exception, now: datetime) -> Failure:
    """Wait twice as long each time; the last attempt sets the schedule aside."""
    reason = f"{type(error).__name__}: {error}"
    if work.attempts + 1 >= MAXIMUM_ATTEMPTS:
        return Failure(reason, None)
    return Failure(reason, now + min(LONGEST_PAUSE, _FIRST_RETRY * 2**work.attempts))
