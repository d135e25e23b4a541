"""The publisher: a run that rebuilds, publishes and records the schedules that are marked for rebuild.

A run takes seconds to start, so one stays while nothing is pending. One thread publishes, others receive
(docs/adr/0035). The op's own thread records and compares, because Dagster's records take longer than the schedules
themselves; of several publishers one does so. Publishers come and go as the backlog wants (docs/adr/0034).
"""

import gc
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import dagster as dg
from dagster._utils.interrupts import capture_interrupts

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.errors import PipelineError, ServiceError
from schedules_pipeline.event_batches import BatchRunWriter
from schedules_pipeline.jobs.building import single_op_job
from schedules_pipeline.jobs.publishing_thread import PublishingThread, in_full
from schedules_pipeline.jobs.rebuild_schedules import rebuild_config, rebuild_schedules_job
from schedules_pipeline.jobs.receiving_threads import ReceivingThreads
from schedules_pipeline.logs import log_pass
from schedules_pipeline.publishing.ports.schedules import Outcome
from schedules_pipeline.publishing.rebuild import EMPTY_BATCH, BatchResult
from schedules_pipeline.publishing.scale_publishers import ScalePolicy, is_surplus, publishers_wanted
from schedules_pipeline.recording import RECORDED_AT_ONCE, Recorder
from schedules_pipeline.settings import Settings

JOB_NAME = "publish_affected"
RESERVATION_TAG = "schedules/reservation"
POOL = "publishers"
_HANDOVER_SECONDS = 90.0
"""A container may take a minute to start."""

_HANDOVER_OF_AN_INTERRUPTED_SECONDS = 4.0
_LAST_BATCH_OF_AN_INTERRUPTED_SECONDS = 1.0
_ACTIVE_SECONDS = 10.0
"""A publisher that has built within this time lets another one follow."""

_SURPLUS_SECONDS = 30.0
"""One publisher more than the backlog wants stays for this time, because it may be wanted again."""

_LONGEST_SHUTDOWN_SECONDS = 1_800
_SWITCH_INTERVAL_SECONDS = 0.0005
"""Python's default is 0.005: after each answer of Redis, publishing would wait so long for the thread that records."""

_PAUSE_AFTER_ERROR_SECONDS = 1.0
_IDLE_SECONDS = 0.2
_RECORD_EVERY_SECONDS = 3.0
"""Each record is a run of its own, and a user of Dagster reads a list of them."""
_REJECTIONS_EVERY_SECONDS = 5.0
_LONGEST_OUTAGE_SECONDS = 60


def publish_affected_job(settings: Settings) -> dg.JobDefinition:
    """A run of this job is a publisher. Several may run at once."""

    @dg.op(
        name="publish",
        description="Rebuilds, publishes and records affected schedules until none is left.",
        pool=POOL,
    )
    def publish(context: dg.OpExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> None:
        # Excludes imported modules from garbage collections, which interrupt batches.
        gc.freeze()
        writer = BatchRunWriter(
            context.instance, rebuild_schedules_job(settings), rebuild_config, context.run, pipeline.clock
        )
        recorder = Recorder(pipeline, settings, context.instance, writer)
        reservation = context.run.tags.get(RESERVATION_TAG, "")
        with (
            _quick_switches(),
            PublishingThread(pipeline, context.run_id, reservation) as publishing,
            ReceivingThreads(pipeline, context.instance, context.run_id) as receiving,
        ):
            session = _Session(context, pipeline, recorder, publishing, settings)
            try:
                session.work()
            except dg.DagsterExecutionInterruptedError:
                # A second signal must not interrupt the handover.
                with capture_interrupts():
                    receiving.let_sensors_receive()
                    session.hand_over_now()
                    if _is_cancelled(context):
                        raise
                return
        if not pipeline.store.presence.present().running:
            recorder.record_all_published()

    description = "Publishes the schedules that a change affects. The sensors of both queues start it."
    longest_seconds = settings.publisher_session_seconds + _LONGEST_SHUTDOWN_SECONDS
    return single_op_job(publish, JOB_NAME, description, tags={"dagster/max_runtime": str(longest_seconds)})


def _is_cancelled(context: dg.OpExecutionContext) -> bool:
    """Whether a person ended the run. Dagster calls a run failed that a signal alone has ended; this one has handed
    over, so it succeeds.
    """
    run = context.instance.get_run_by_id(context.run_id)
    return run is not None and run.status is dg.DagsterRunStatus.CANCELING


@contextmanager
def _quick_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def scale_policy(settings: Settings) -> ScalePolicy:
    """Without a time to linger, a publisher stands ready, because starting one takes seconds."""
    return ScalePolicy(settings.most_publishers, idle=int(settings.publisher_linger_seconds is None))


class _Session:
    """What the op's own thread does while the other one publishes."""

    def __init__(
        self,
        context: dg.OpExecutionContext,
        pipeline: Pipeline,
        recorder: Recorder,
        publishing: PublishingThread,
        settings: Settings,
    ) -> None:
        self._context = context
        self._pipeline = pipeline
        self._recorder = recorder
        self._publishing = publishing
        self._policy = scale_policy(settings)
        self._linger_seconds = settings.publisher_linger_seconds
        self._deadline = time.monotonic() + settings.publisher_session_seconds
        self._wanted_at = time.monotonic()
        self._record_at = self._rejections_at = 0.0

    def work(self) -> None:
        """Record until this publisher is idle, surplus or has run for long enough; then until another one runs."""
        while not self._is_over():
            self._step()
        if self._needs_successor():
            self._publishing.leave()
            until = time.monotonic() + _HANDOVER_SECONDS
            while (
                time.monotonic() < until
                and self._needs_successor()
                and not self._publishing.publishers.running
            ):
                self._step()

    def hand_over_now(self) -> None:
        """The process must end within seconds, and needs them if schedules are to be published now."""
        if self._is_active():
            self._publishing.hand_over(_HANDOVER_OF_AN_INTERRUPTED_SECONDS)
        self._publishing.stop(_LAST_BATCH_OF_AN_INTERRUPTED_SECONDS)
        with suppress(ServiceError):
            self._pipeline.store.feed.return_unrecorded(self._publishing.name)

    def _is_over(self) -> bool:
        now = time.monotonic()
        if now > self._publishing.last_success + _LONGEST_OUTAGE_SECONDS:
            raise dg.Failure(
                f"nothing could be published for {_LONGEST_OUTAGE_SECONDS} s; the sensors start another publisher "
                "as soon as the store answers again"
            )
        lingers = self._linger_seconds
        is_idle = lingers is not None and now > self._publishing.last_active + lingers
        return is_idle or now > self._deadline or now > self._wanted_at + _SURPLUS_SECONDS

    def _needs_successor(self) -> bool:
        """Whether one publisher always runs, or this one is needed now."""
        return self._linger_seconds is None or self._is_active()

    def _is_active(self) -> bool:
        """Whether changes arrive, so that another publisher must follow."""
        try:
            has_work = not self._pipeline.store.work.backlog().is_empty
        except ServiceError:
            return False
        lingers = self._linger_seconds
        active_seconds = _ACTIVE_SECONDS if lingers is None else min(_ACTIVE_SECONDS, lingers)
        return has_work or time.monotonic() < self._publishing.last_active + active_seconds

    def _step(self) -> None:
        """Record and compare once, if it is this publisher's part; sleep briefly if there was nothing to do."""
        now, publishers = time.monotonic(), self._publishing.publishers
        if publishers.recorder == self._publishing.name:
            self._wanted_at = now
            if now >= self._record_at:
                return self._record(now)
        elif now >= self._record_at:
            _log_results(self._context, self._publishing.take_results())
            self._record_at = now + _RECORD_EVERY_SECONDS
            self._note_whether_wanted(now)
        return time.sleep(_IDLE_SECONDS)

    def _note_whether_wanted(self, now: float) -> None:
        store, publishers = self._pipeline.store, self._publishing.publishers
        try:
            wanted = publishers_wanted(store.work.backlog(), publishers, self._policy, self._pipeline.clock())
        except ServiceError:
            return
        if not is_surplus(self._publishing.name, wanted, publishers):
            self._wanted_at = now

    def _record(self, now: float) -> None:
        _log_results(self._context, self._publishing.take_results())
        with_rejections = now >= self._rejections_at
        recorded = _record_once(
            self._context, self._pipeline, self._recorder, with_rejections=with_rejections
        )
        if 0 < recorded < RECORDED_AT_ONCE:
            self._record_at = now + _RECORD_EVERY_SECONDS
        if with_rejections:
            self._rejections_at = now + _REJECTIONS_EVERY_SECONDS


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
            context.log.warning(f"a batch failed and was put back: {in_full(result)}")
