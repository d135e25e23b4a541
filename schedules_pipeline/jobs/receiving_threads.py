"""The threads of a publisher that receive from the queues, so that nothing waits for a sensor's next tick.

While they receive, the sensors do not. An operator who switches a sensor off in Dagster switches its queue off here too
(docs/adr/0035).
"""

import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Self

import dagster as dg
import structlog

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.jobs.receiving import Intake, intakes, may_receive, receive_once
from schedules_pipeline.jobs.shared_queue import SharedQueue
from schedules_pipeline.jobs.switches import Switches
from schedules_pipeline.publishing.intake import IngestResult

_THREADS_EACH = 2
"""One waits for messages while the other marks."""

_POLL_SECONDS = 2
"""A publisher that ends waits for its polls: a message that the queue gave to a dead one comes back after minutes."""

_RECEIVES_SECONDS = 5
"""For so long a thread that began to receive counts. A sensor receives again when it has died or hangs."""

_LEFT_AFTER_OUTAGE_SECONDS = 5.0
_LEFT_AFTER_DEFECT_SECONDS = 60.0
_CHECKED_EVERY_SECONDS = 0.25
_PAUSE_SECONDS = 1.0
_SHORTEST_POLL_SECONDS = 0.05
_OBSERVED_EVERY_SECONDS = 30.0

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class ReceivingThreads:
    """Receives from both queues until it is stopped. Beside :class:`PublishingThread` in the same process."""

    def __init__(self, pipeline: Pipeline, instance: dg.DagsterInstance, run_id: str) -> None:
        self._pipeline = pipeline
        self._instance = instance
        self._run_id = run_id
        self._switches = Switches(instance)
        self._stop = threading.Event()
        self._deletions = ExitStack()
        self._lock = threading.Lock()
        self._unobserved: dict[str, IngestResult] = {}
        self._left_until: dict[str, float] = {}
        self._check_at: dict[str, float] = {}
        self._queues = {
            name: SharedQueue(intake.queue, self._stop) for name, intake in intakes(pipeline).items()
        }
        shared = [replace(each, queue=self._queues[name]) for name, each in intakes(pipeline).items()]
        self._threads = [
            threading.Thread(target=self._run, args=(intake,), name=f"receiving {intake.name}", daemon=True)
            for intake in shared * _THREADS_EACH
        ]
        self._dagster = threading.Thread(target=self._follow_dagster, name="following Dagster", daemon=True)

    def __enter__(self) -> Self:
        self._switches.ask()
        for queue in self._queues.values():
            self._deletions.enter_context(queue)
        for thread in (*self._threads, self._dagster):
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._stop.is_set():
            self.stop()

    def let_sensors_receive(self) -> None:
        """Begin no further poll. A queue from which another publisher receives is announced by that one again."""
        self._stop.set()
        with suppress(ServiceError):
            for queue in intakes(self._pipeline):
                self._pipeline.store.queue_polls.withdraw_receiver(queue)

    def stop(self, patience_seconds: float = _POLL_SECONDS + 0.5) -> None:
        """Let the sensors receive, and wait for polls that are under way."""
        self.let_sensors_receive()
        self.join(time.monotonic() + patience_seconds)

    def join(self, until: float) -> None:
        """Wait for polls that are under way, until this time of the monotonic clock."""
        for thread in (*self._threads, self._dagster):
            thread.join(max(0.0, until - time.monotonic()))
        self._deletions.close()

    def _run(self, intake: Intake) -> None:
        with structlog.contextvars.bound_contextvars(run_id=self._run_id):
            while not self._stop.is_set():
                try:
                    self._receive_if_allowed(intake)
                except ServiceError as error:
                    _log.warning("the sensor receives for a moment", queue=intake.name, error=str(error))
                    self._leave_to_sensor(intake, _LEFT_AFTER_OUTAGE_SECONDS)
                except Exception as error:  # noqa: BLE001 - a sensor meets the same defect, and its tick shows it
                    _log.error("the sensor receives for a while", queue=intake.name, error=repr(error))
                    self._leave_to_sensor(intake, _LEFT_AFTER_DEFECT_SECONDS)

    def _receive_if_allowed(self, intake: Intake) -> None:
        is_left = time.monotonic() < self._left_until.get(intake.name, 0.0)
        if is_left or self._switches.is_off(intake.name):
            self._stop.wait(_PAUSE_SECONDS)
        elif self._is_checked(intake):
            self._receive(intake)
        else:
            self._stop.wait(_PAUSE_SECONDS)

    def _is_checked(self, intake: Intake) -> bool:
        """Whether Redis lets this process receive. A busy queue is polled many times for each check."""
        now = time.monotonic()
        if now >= self._check_at.get(intake.name, now):
            self._pipeline.store.queue_polls.announce_receiver(intake.name, _RECEIVES_SECONDS)
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

    def _receive(self, intake: Intake) -> None:
        began = time.monotonic()
        result = receive_once(intake, _POLL_SECONDS)
        if result.received:
            with self._lock:
                self._unobserved[intake.name] = self._unobserved.get(intake.name, IngestResult()) + result
        elif time.monotonic() < began + _SHORTEST_POLL_SECONDS:
            # A queue that answers without waiting.
            self._stop.wait(_SHORTEST_POLL_SECONDS)

    def _follow_dagster(self) -> None:
        """Until it is stopped, read the switches, and show in Dagster what was received; at the end once more. In a
        thread of its own, because Dagster's database may be slow.
        """
        observe_at = time.monotonic() + _OBSERVED_EVERY_SECONDS
        while not self._stop.wait(_POLL_SECONDS):
            self._switches.ask()
            if time.monotonic() >= observe_at:
                self._observe()
                observe_at = time.monotonic() + _OBSERVED_EVERY_SECONDS
        for thread in self._threads:
            thread.join(_POLL_SECONDS)
        self._observe()

    def _observe(self) -> None:
        with self._lock:
            unobserved, self._unobserved = self._unobserved, {}
        for intake in intakes(self._pipeline).values():
            for observation in intake.describe(unobserved.get(intake.name, IngestResult())):
                self._report(observation)

    def _report(self, observation: dg.AssetObservation) -> None:
        try:
            self._instance.report_runless_asset_event(observation)
        except Exception as error:  # noqa: BLE001 - publishing goes on without Dagster's database
            _log.warning("an observation is not shown in Dagster", error=str(error))
