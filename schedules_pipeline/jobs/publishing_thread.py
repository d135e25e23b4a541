"""The thread of a publisher that claims and builds schedules, and renews the publisher's presence."""

import threading
import time
from contextlib import suppress
from datetime import datetime
from typing import Self

import structlog

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.jobs.traced import build_traced
from schedules_pipeline.logs import causes_fields
from schedules_pipeline.publishing.ports.presence import NO_PUBLISHER
from schedules_pipeline.publishing.ports.schedules import Outcome
from schedules_pipeline.publishing.ports.work import Claim
from schedules_pipeline.publishing.rebuild import BatchResult
from schedules_pipeline.publishing.remember import remember_in_steps

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
_PRESENT_SECONDS = 15
_RENEW_EVERY_SECONDS = 1.0
_IDLE_WAIT_SECONDS = 1.0
_PAUSE_AFTER_ERROR_SECONDS = 1.0
_LOOKS_EVERY_SECONDS = 0.1
_LAST_BATCH_SECONDS = 60.0


class PublishingThread:
    """Publishes until it is stopped, and keeps results for the op, which tells them.

    ``reservation``: under which the sensors asked for this publisher. ``publishers``: all that were present at the last
    renewal.
    """

    def __init__(self, pipeline: Pipeline, name: str, reservation: str = "") -> None:
        self.name = name
        self.publishers = NO_PUBLISHER
        self.last_active = self.last_success = time.monotonic()
        self._pipeline = pipeline
        self._reservation = reservation
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publishing", daemon=True)
        self._lock = threading.Lock()
        self._results: list[BatchResult | Exception] = []
        self._claim: Claim | None = None
        self._is_leaving = False
        self._renew_at = 0.0
        self._remembering = remember_in_steps(pipeline.store)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop, if it has not stopped."""
        if not self._stop.is_set():
            self.stop(_LAST_BATCH_SECONDS)

    def stop(self, patience_seconds: float) -> None:
        """Leave at once, and give back the schedules of a batch that does not end within this time."""
        with self._lock:
            self._stop.set()
            with suppress(ServiceError):
                self._pipeline.store.presence.leave(self.name)
        self._thread.join(patience_seconds)
        if self._thread.is_alive() and self._claim is not None:
            with suppress(ServiceError):
                self._pipeline.publisher.give_back(self._claim)

    def abandon(self) -> None:
        """Claim nothing more, and ask Redis for nothing: its leases expire."""
        self._stop.set()

    def take_results(self) -> list[BatchResult | Exception]:
        """The results since the last call."""
        with self._lock:
            results, self._results = self._results, []
        return results

    def leave(self) -> None:
        """Let the sensors start another publisher; this one publishes until it is stopped."""
        with self._lock, suppress(ServiceError):
            self._is_leaving = True
            self._renew_at = 0.0
            self._renew()

    def hand_over(self, seconds: float) -> None:
        """Leave, and publish until another publisher runs, but no longer than this."""
        until = time.monotonic() + seconds
        with suppress(ServiceError):
            self.leave()
            while time.monotonic() < until and not self._pipeline.store.presence.present().running:
                time.sleep(_LOOKS_EVERY_SECONDS)

    def _run(self) -> None:
        with structlog.contextvars.bound_contextvars(run_id=self.name):
            while not self._stop.is_set():
                try:
                    with self._lock:
                        self._renew()
                    self._publish_once()
                    self.last_success = time.monotonic()
                except Exception as error:  # noqa: BLE001 - a failed batch is put back and retried
                    _log.warning("batch failed and was put back", error=in_full(error))
                    self._add_result(error)
                    self._stop.wait(_PAUSE_AFTER_ERROR_SECONDS)

    def _renew(self) -> None:
        now = time.monotonic()
        if now < self._renew_at or self._stop.is_set():
            return
        presence = self._pipeline.store.presence
        presence.renew(
            self.name, _PRESENT_SECONDS, reservation=self._reservation, is_leaving=self._is_leaving
        )
        self.publishers = presence.present()
        self._renew_at = now + _RENEW_EVERY_SECONDS

    def _publish_once(self) -> None:
        self._claim = self._pipeline.publisher.claim_next()
        if self._claim is None:
            if not next(self._remembering, False):
                self._pipeline.store.work.wait(_IDLE_WAIT_SECONDS)
            return
        batch = build_traced(self._pipeline.publisher, self._claim)
        self._claim = None
        self.last_active = time.monotonic()
        _log_batch(batch, self._pipeline.clock())
        self._add_result(batch)

    def _add_result(self, result: BatchResult | Exception) -> None:
        with self._lock:
            self._results.append(result)


def in_full(error: Exception) -> str:
    """With its notes, in which the publisher names the schedules."""
    return "; ".join((f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())))


def _log_batch(batch: BatchResult, now: datetime) -> None:
    """One line for each published version, with the event that caused it, and for each failure."""
    for built in batch.built:
        if built.outcome is Outcome.PUBLISHED:
            fields = causes_fields(built.change.causes, built.change.cause_count, now)
            _log.info(
                "schedule published", schedule=str(built.key), seq=built.seq, etag=built.change.etag, **fields
            )
    for key, error in batch.failed.items():
        _log.warning("schedule could not be fetched, and waits", schedule=str(key), error=str(error))
