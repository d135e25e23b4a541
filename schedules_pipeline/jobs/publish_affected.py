"""The publisher: a run that rebuilds, publishes and records the schedules that are marked for rebuild.

A run takes seconds to start, so it stays for a while after its last schedule. One thread publishes. The op's own thread
records and compares, because Dagster's records take longer than the schedules themselves.
"""

import gc
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Self

import dagster as dg
import structlog

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.errors import PipelineError
from schedules_pipeline.event_batches import BatchRunWriter
from schedules_pipeline.jobs.building import single_op_job
from schedules_pipeline.jobs.rebuild_schedules import rebuild_config, rebuild_schedules_job
from schedules_pipeline.logs import causes_fields, log_pass
from schedules_pipeline.publishing.ports.schedules import Outcome
from schedules_pipeline.publishing.rebuild import EMPTY_BATCH, BatchResult
from schedules_pipeline.recording import RECORDED_AT_ONCE, Recorder
from schedules_pipeline.settings import Settings

JOB_NAME = "publish_affected"
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
_PRESENT_SECONDS = 15
_HANDOVER_SECONDS = 30
_LONGEST_SHUTDOWN_SECONDS = 1_800
_PAUSE_AFTER_ERROR_SECONDS = 1.0
_IDLE_WAIT_SECONDS = 1.0
_IDLE_SECONDS = 0.2
_RECORD_EVERY_SECONDS = 3.0
"""Each record is a run of its own, and a user of Dagster reads a list of them."""
_REJECTIONS_EVERY_SECONDS = 5.0
_LONGEST_OUTAGE_SECONDS = 60


class PublishingThread:
    """Publishes until it is stopped, renews the publisher's presence, and keeps results for the recording thread."""

    def __init__(self, pipeline: Pipeline, name: str) -> None:
        self._pipeline = pipeline
        self._name = name
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publishing", daemon=True)
        self._lock = threading.Lock()
        self._results: list[BatchResult | Exception] = []
        self._is_present = True
        self.last_active = time.monotonic()
        self.last_success = time.monotonic()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def take_results(self) -> list[BatchResult | Exception]:
        """The results since the last call."""
        with self._lock:
            results, self._results = self._results, []
        return results

    def leave(self) -> None:
        """Let the sensors start another publisher; this one publishes until it is stopped."""
        with self._lock:
            self._is_present = False
            self._pipeline.store.presence.leave()

    def _run(self) -> None:
        with structlog.contextvars.bound_contextvars(run_id=self._name):
            while not self._stop.is_set():
                try:
                    self._publish_once()
                    self.last_success = time.monotonic()
                except Exception as error:  # noqa: BLE001 - a failed batch is put back and retried
                    _log.warning("batch failed and was put back", error=_in_full(error))
                    self._add_result(error)
                    self._stop.wait(_PAUSE_AFTER_ERROR_SECONDS)

    def _publish_once(self) -> None:
        with self._lock:
            if self._is_present:
                self._pipeline.store.presence.renew(self._name, _PRESENT_SECONDS)
        batch = self._pipeline.publisher.publish_next()
        if batch is None:
            self._pipeline.store.work.wait(_IDLE_WAIT_SECONDS)
        else:
            self.last_active = time.monotonic()
            _log_batch(batch, self._pipeline.clock())
            self._add_result(batch)

    def _add_result(self, result: BatchResult | Exception) -> None:
        with self._lock:
            self._results.append(result)


def _in_full(error: Exception) -> str:
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


def publish_affected_job(settings: Settings) -> dg.JobDefinition:
    """A run of this job is a publisher. Several may run at once; one is enough."""

    @dg.op(
        name="publish", description="Rebuilds, publishes and records affected schedules until none is left."
    )
    def publish(context: dg.OpExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> None:
        # Excludes imported modules from garbage collections, which interrupt batches.
        gc.freeze()
        writer = BatchRunWriter(
            context.instance, rebuild_schedules_job(settings), rebuild_config, context.run, pipeline.clock
        )
        recorder = Recorder(pipeline, settings, context.instance, writer)
        with PublishingThread(pipeline, context.run_id) as publishing:
            _record_while_needed(context, pipeline, recorder, publishing, settings)
        recorder.record_all_published()

    description = "Publishes the schedules that a change affects. The sensors of both queues start it."
    longest_seconds = settings.publisher_session_seconds + _LONGEST_SHUTDOWN_SECONDS
    return single_op_job(publish, JOB_NAME, description, tags={"dagster/max_runtime": str(longest_seconds)})


def _record_while_needed(
    context: dg.OpExecutionContext,
    pipeline: Pipeline,
    recorder: Recorder,
    publishing: PublishingThread,
    settings: Settings,
) -> None:
    deadline = time.monotonic() + settings.publisher_session_seconds
    record_at = rejections_at = 0.0
    while True:
        now = time.monotonic()
        if now > min(deadline, publishing.last_active + settings.publisher_linger_seconds):
            break
        if now > publishing.last_success + _LONGEST_OUTAGE_SECONDS:
            raise dg.Failure(
                f"nothing could be published for {_LONGEST_OUTAGE_SECONDS} s; the sensors start another publisher "
                "as soon as the store answers again"
            )
        if now < record_at:
            time.sleep(_IDLE_SECONDS)
            continue
        _log_results(context, publishing.take_results())
        recorded = _record_once(context, pipeline, recorder, with_rejections=now >= rejections_at)
        if 0 < recorded < RECORDED_AT_ONCE:
            record_at = now + _RECORD_EVERY_SECONDS
        if now >= rejections_at:
            rejections_at = now + _REJECTIONS_EVERY_SECONDS
    publishing.leave()
    _hand_over(pipeline, context.run_id)


def _record_once(
    context: dg.OpExecutionContext, pipeline: Pipeline, recorder: Recorder, *, with_rejections: bool
) -> int:
    """Record and compare once; sleep briefly if there was nothing to do. Returns the number of changes."""
    try:
        if with_rejections:
            recorder.record_rejections()
            recorder.record_quarantined_broadcasts()
            recorder.record_holds()
        pipeline.observer.observe()
        _repair(context, pipeline)
        recorded = recorder.record_published()
        if pipeline.comparer.is_due():
            comparisons = pipeline.comparer.compare_all()
            recorder.record_comparisons(comparisons)
            context.log.info(f"compared with the old system: {len(comparisons)} outcomes are new")
        elif not recorded:
            time.sleep(_IDLE_SECONDS)
    except PipelineError as error:
        context.log.warning(f"trying again in a moment: {error}")
        time.sleep(_PAUSE_AFTER_ERROR_SECONDS)
        return 0
    return recorded


def _repair(context: dg.OpExecutionContext, pipeline: Pipeline) -> None:
    """Repair what a failover of Redis has lost, as soon as any witness has noticed it."""
    report = pipeline.repairer.repair_if_needed(context.run_id, context.log.info)
    if report is not None:
        context.log.warning(
            f"Redis lost writes: {report.counts['differed']} schedules differed and were rebuilt"
        )
        log_pass(report)


def _hand_over(pipeline: Pipeline, name: str) -> None:
    """While work is left, keep publishing until the sensors have started another publisher."""
    until = time.monotonic() + _HANDOVER_SECONDS
    while time.monotonic() < until and not pipeline.store.work.backlog().is_empty:
        if pipeline.store.presence.name() not in ("", name):
            return
        time.sleep(0.5)


def _log_results(context: dg.OpExecutionContext, results: Sequence[BatchResult | Exception]) -> None:
    """One line for all batches, because each line is an event of the run; and one for each failure."""
    batches = [result for result in results if isinstance(result, BatchResult)]
    if batches:
        total = sum(batches, EMPTY_BATCH)
        outcomes = ", ".join(f"{n} {outcome}" for outcome in Outcome if (n := total.count(outcome)))
        context.log.info(
            f"{len(total.built)} schedules in {len(batches)} batches and {total.seconds * 1000:.0f} ms: "
            f"{outcomes or 'none'}"
        )
        for key, error in total.failed.items():
            context.log.warning(f"{key} could not be fetched, and waits: {error}")
    for result in results:
        if isinstance(result, Exception):
            context.log.warning(f"a batch failed and was put back: {_in_full(result)}")
