"""The threads that receive from the queues for a publisher, so that nothing waits for a sensor's next tick.

While they receive, the sensors do not. An operator who switches a sensor off in Dagster switches its queue off here too
(docs/adr/0035). They know nothing of Dagster: in production they are a process of their own (docs/adr/0053).
"""

import threading
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Protocol

import structlog

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.health.ports import QueueName
from schedules_pipeline.jobs.child_process import Companion
from schedules_pipeline.jobs.paced_queue import PacedQueue
from schedules_pipeline.jobs.receiving import (
    Intake,
    Received,
    intakes,
    may_receive,
    receive_once,
    summarise,
)

_POLL_SECONDS = 2
"""A publisher that ends waits for its polls: a message that the queue gave to a dead one comes back after minutes."""

LAST_POLL_SECONDS = _POLL_SECONDS + 0.5
_RECEIVES_SECONDS = 5
"""For so long a thread that began to receive counts. A sensor receives again when it has died or hangs."""

_LEFT_AFTER_OUTAGE_SECONDS = 5.0
_LEFT_AFTER_DEFECT_SECONDS = 60.0
_CHECKED_EVERY_SECONDS = 0.25
_PAUSE_SECONDS = 1.0
_SHORTEST_POLL_SECONDS = 0.05
_REPORTED_EVERY_SECONDS = 30.0

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

Report = Callable[[QueueName, Received], None]


class Receiving(Companion, Protocol):
    """The receiving of a publisher. Once it is dismissed, the sensors receive."""

    def leave_off(self, sensors: Collection[str]) -> None:
        """These are the sensors that an operator has switched off: receive from their queues no more."""


class ReceivingThreads:
    """Implements :class:`Receiving` in this process, with a thread for each queue."""

    def __init__(self, pipeline: Pipeline, run_id: str, report: Report) -> None:
        """``report``: gets what was received every 30 seconds, and at the end."""
        self._pipeline = pipeline
        self._run_id = run_id
        self._report = report
        self._off: Collection[str] = ()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._unreported: dict[QueueName, Received] = {}
        self._left_until: dict[str, float] = {}
        self._check_at: dict[str, float] = {}
        self._deletions = ExitStack()
        self._threads: list[threading.Thread] = []

    def keep_up(self) -> None:
        """Start the threads, unless they have been started."""
        if self._threads:
            return
        for intake in intakes(self._pipeline).values():
            queue = self._deletions.enter_context(PacedQueue(intake.queue, self._stop))
            self._begin(f"receiving {intake.name}", self._run, replace(intake, queue=queue), queue)
        self._begin("reporting", self._keep_reporting)

    def _begin(self, name: str, work: Callable[..., None], *arguments: object) -> None:
        self._threads.append(threading.Thread(target=work, args=arguments, name=name, daemon=True))
        self._threads[-1].start()

    def leave_off(self, sensors: Collection[str]) -> None:
        self._off = sensors

    def dismiss(self) -> None:
        """Begin no further poll. A queue from which another publisher receives is announced by that one again."""
        if self._stop.is_set():
            return
        self._stop.set()
        with suppress(ServiceError):
            for queue in intakes(self._pipeline):
                self._pipeline.store.queue_polls.withdraw_receiver(queue)

    def stop(self, patience_seconds: float) -> None:
        until = time.monotonic() + patience_seconds
        self.dismiss()
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._deletions.close()

    def close(self) -> None:
        self.stop(LAST_POLL_SECONDS)

    def _run(self, intake: Intake, queue: PacedQueue) -> None:
        with structlog.contextvars.bound_contextvars(run_id=self._run_id):
            while not self._stop.is_set():
                try:
                    self._receive_if_allowed(intake, queue)
                except ServiceError as error:
                    _log.warning("the sensor receives for a moment", queue=intake.name, error=str(error))
                    self._leave_to_sensor(intake, _LEFT_AFTER_OUTAGE_SECONDS)
                except Exception as error:  # noqa: BLE001 - a sensor meets the same defect, and its tick shows it
                    _log.error("the sensor receives for a while", queue=intake.name, error=repr(error))
                    self._leave_to_sensor(intake, _LEFT_AFTER_DEFECT_SECONDS)

    def _receive_if_allowed(self, intake: Intake, queue: PacedQueue) -> None:
        is_left = time.monotonic() < self._left_until.get(intake.name, 0.0)
        if is_left or intake.name in self._off or not self._is_checked(intake):
            self._stop.wait(_PAUSE_SECONDS)
        else:
            self._receive(intake, queue)

    def _is_checked(self, intake: Intake) -> bool:
        """Whether Redis lets this process receive. A busy queue is polled many times for each check."""
        now = time.monotonic()
        if now >= self._check_at.get(intake.name, now):
            self._pipeline.store.queue_polls.announce_receiver(intake.name, _RECEIVES_SECONDS)
            if self._stop.is_set():
                # It was dismissed in between, and may have withdrawn before this was announced.
                self._pipeline.store.queue_polls.withdraw_receiver(intake.name)
                return False
            if not may_receive(self._pipeline):
                return False
            self._check_at[intake.name] = now + _CHECKED_EVERY_SECONDS
        return True

    def _leave_to_sensor(self, intake: Intake, seconds: float) -> None:
        """It may be able to receive, as where only this process lacks a permission of AWS."""
        self._left_until[intake.name] = time.monotonic() + seconds
        self._check_at.pop(intake.name, None)
        with suppress(ServiceError):
            self._pipeline.store.queue_polls.withdraw_receiver(intake.name)

    def _receive(self, intake: Intake, queue: PacedQueue) -> None:
        began = time.monotonic()
        result = receive_once(intake, _POLL_SECONDS)
        if result.received:
            queue.rest(result.pending)
            received = summarise(result)
            with self._lock:
                earlier = self._unreported.get(intake.name)
                self._unreported[intake.name] = received if earlier is None else earlier + received
        elif time.monotonic() < began + _SHORTEST_POLL_SECONDS:
            # A queue that answers without waiting.
            self._stop.wait(_SHORTEST_POLL_SECONDS)

    def _keep_reporting(self) -> None:
        while not self._stop.wait(_REPORTED_EVERY_SECONDS):
            self._report_received()
        for thread in self._threads[:-1]:
            thread.join(_POLL_SECONDS)
        self._report_received()

    def _report_received(self) -> None:
        with self._lock:
            unreported, self._unreported = self._unreported, {}
        for queue, received in unreported.items():
            self._report(queue, received)
