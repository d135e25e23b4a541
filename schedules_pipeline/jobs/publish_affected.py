"""The publisher: a run that rebuilds and publishes whatever is dirty, and records it, until nothing is left.

A run costs seconds to start and milliseconds to go on, so it stays for a while after its last schedule.
One thread publishes; the op's own thread records and compares, because Dagster's records take longer
than the schedules themselves and nobody upstream should wait for them.
"""

import gc
import threading
import time
from datetime import datetime
from typing import Self

import dagster as dg
import structlog

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.errors import PipelineError
from schedules_pipeline.logs import causes_fields
from schedules_pipeline.publishing.ports.schedules import Outcome
from schedules_pipeline.publishing.rebuild import BatchResult
from schedules_pipeline.recording import Recorder
from schedules_pipeline.settings import Settings

JOB_NAME = "publish_affected"
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
_PRESENT_SECONDS = 15
_HANDOVER_SECONDS = 30
_LONGEST_GOODBYE_SECONDS = 1_800
_PAUSE_AFTER_ERROR_SECONDS = 1.0
_IDLE_WAIT_SECONDS = 1.0
_RECORD_EVERY_SECONDS = 0.2
_LOOK_ASIDE_EVERY_SECONDS = 5.0
_UNWELL_SECONDS = 60


class PublishingThread:
    """Publishes until told to stop, and says meanwhile that somebody does; keeps the news for the thread
    that records.
    """

    def __init__(self, pipeline: Pipeline, name: str) -> None:
        self._pipeline = pipeline
        self._name = name
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publishing", daemon=True)
        self._lock = threading.Lock()
        self._news: list[BatchResult | Exception] = []
        self._is_present = True
        self.last_active = time.monotonic()
        self.last_well = time.monotonic()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def take_news(self) -> list[BatchResult | Exception]:
        """What happened since the last call."""
        with self._lock:
            news, self._news = self._news, []
        return news

    def leave(self) -> None:
        """Let the sensors start another publisher; this one goes on until it is stopped."""
        with self._lock:
            self._is_present = False
            self._pipeline.store.presence.leave()

    def _run(self) -> None:
        with structlog.contextvars.bound_contextvars(run_id=self._name):
            while not self._stop.is_set():
                try:
                    self._publish_once()
                    self.last_well = time.monotonic()
                except Exception as error:  # noqa: BLE001 - a batch that fails is put back; the rest goes on
                    _log.warning("batch failed and was put back", error=_in_full(error))
                    self._tell(error)
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
            self._tell(batch)

    def _tell(self, news: BatchResult | Exception) -> None:
        with self._lock:
            self._news.append(news)


def _in_full(error: Exception) -> str:
    """With the schedules that it befell, which the publisher notes."""
    return "; ".join((f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())))


def _log_batch(batch: BatchResult, now: datetime) -> None:
    """A line for each version that partners can see now, with the event that it came of."""
    for built in batch.built:
        if built.outcome is Outcome.PUBLISHED:
            fields = causes_fields(built.causes, built.cause_count, now)
            _log.info("schedule published", schedule=str(built.key), seq=built.seq, etag=built.etag, **fields)
    for key, error in batch.failed.items():
        _log.warning("schedule could not be fetched, and waits", schedule=str(key), error=str(error))


def publish_affected_job(settings: Settings) -> dg.JobDefinition:
    """A run of this job is a publisher. Any number may run at once; one is enough."""

    @dg.op(name="publish", description="Rebuild, publish and record affected schedules while there are any.")
    def publish(context: dg.OpExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> None:
        # Imports are never garbage: without them a collection in the middle of a batch is short.
        gc.freeze()
        recorder = Recorder(pipeline, settings, context.instance, context.log_event, context.run_id)
        with PublishingThread(pipeline, context.run_id) as publishing:
            _record_while_needed(context, pipeline, recorder, publishing, settings)
        recorder.record_all_published()

    @dg.job(
        name=JOB_NAME,
        description="Publishes the schedules that a change touches; started by the sensors of both queues.",
        executor_def=dg.in_process_executor,
        tags={"dagster/max_runtime": str(settings.publisher_session_seconds + _LONGEST_GOODBYE_SECONDS)},
    )
    def publish_affected() -> None:
        publish()

    return publish_affected


def _record_while_needed(
    context: dg.OpExecutionContext,
    pipeline: Pipeline,
    recorder: Recorder,
    publishing: PublishingThread,
    settings: Settings,
) -> None:
    deadline = time.monotonic() + settings.publisher_session_seconds
    look_aside_at = 0.0
    while True:
        now = time.monotonic()
        if now > min(deadline, publishing.last_active + settings.publisher_linger_seconds):
            break
        if now > publishing.last_well + _UNWELL_SECONDS:
            raise dg.Failure(
                f"nothing could be published for {_UNWELL_SECONDS} s; the sensors start another publisher "
                "as soon as the store answers again"
            )
        for news in publishing.take_news():
            _log_news(context, news)
        _record_once(context, pipeline, recorder, look_aside=now >= look_aside_at)
        if now >= look_aside_at:
            look_aside_at = now + _LOOK_ASIDE_EVERY_SECONDS
    publishing.leave()
    _hand_over(pipeline, context.run_id)


def _record_once(
    context: dg.OpExecutionContext, pipeline: Pipeline, recorder: Recorder, *, look_aside: bool
) -> None:
    """One round of records and comparisons; waits a little where there is neither."""
    try:
        if look_aside:
            recorder.record_kept_aside()
        recorded = recorder.record_published()
        if pipeline.comparer.is_due():
            comparisons = pipeline.comparer.compare_all()
            recorder.record_comparisons(comparisons)
            context.log.info(f"compared with the old system: {len(comparisons)} outcomes are new")
        elif not recorded:
            time.sleep(_RECORD_EVERY_SECONDS)
    except PipelineError as error:
        context.log.warning(f"trying again in a moment: {error}")
        time.sleep(_PAUSE_AFTER_ERROR_SECONDS)


def _hand_over(pipeline: Pipeline, name: str) -> None:
    """Go on publishing until the sensors have started another publisher, if anything is left to do."""
    until = time.monotonic() + _HANDOVER_SECONDS
    while time.monotonic() < until and not pipeline.store.work.backlog().is_empty:
        if pipeline.store.presence.name() not in ("", name):
            return
        time.sleep(0.5)


def _log_news(context: dg.OpExecutionContext, news: BatchResult | Exception) -> None:
    if isinstance(news, Exception):
        context.log.warning(f"a batch failed and was put back: {_in_full(news)}")
        return
    outcomes = ", ".join(f"{count} {outcome}" for outcome in Outcome if (count := news.count(outcome)))
    context.log.info(f"batch of {len(news.built)} in {news.seconds * 1000:.0f} ms: {outcomes or 'none'}")
    for key, error in news.failed.items():
        context.log.warning(f"{key} could not be fetched, and waits: {error}")
