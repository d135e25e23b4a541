"""The publisher: a run that rebuilds, publishes and records the schedules that are marked for rebuild.

A run takes seconds to start, so one stays while nothing is pending. One thread publishes. A process beside it receives
from the queues (docs/adr/0035, 0053). Another one records and compares, because Dagster's records take longer than the
schedules themselves (docs/adr/0040); of several publishers one does so. Publishers come and go as the backlog wants
(docs/adr/0034).
"""

import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from threading import Event, Thread

import dagster as dg
from dagster._utils.interrupts import capture_interrupts

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.jobs.building import single_op_job
from schedules_pipeline.jobs.observations import report
from schedules_pipeline.jobs.publishing_thread import PublishingThread, in_full
from schedules_pipeline.jobs.quick_threads import quick_threads
from schedules_pipeline.jobs.receiving_process import ReceivingProcess
from schedules_pipeline.jobs.receiving_threads import Receiving, ReceivingThreads
from schedules_pipeline.jobs.recording_loop import Recording, RecordingLoop
from schedules_pipeline.jobs.recording_process import RecordingProcess
from schedules_pipeline.jobs.run_log import BestEffortLog, RunLog
from schedules_pipeline.jobs.switches import FollowedSwitches
from schedules_pipeline.publishing.ports.schedules import Outcome
from schedules_pipeline.publishing.rebuild import EMPTY_BATCH, BatchResult
from schedules_pipeline.publishing.scale_publishers import ScalePolicy, is_surplus, publishers_wanted
from schedules_pipeline.settings import Settings

JOB_NAME = "publish_affected"
RESERVATION_TAG = "schedules/reservation"
POOL = "publishers"
_HANDOVER_SECONDS = 90.0
"""A container may take a minute to start."""

_OVERLAP_SECONDS = 3.0
"""A publisher that has just become present starts the process in which it receives."""

_HANDOVER_OF_AN_INTERRUPTED_SECONDS = 2.5
_LAST_BATCH_OF_AN_INTERRUPTED_SECONDS = 1.0
_LONGEST_HANDOVER_OF_AN_INTERRUPTED_SECONDS = 4.0
"""The process must be gone within five seconds."""

_ACTIVE_SECONDS = 10.0
"""A publisher that has built within this time lets another one follow."""

_SURPLUS_SECONDS = 30.0
"""One publisher more than the backlog wants stays for this time, because it may be wanted again."""

_LONGEST_SHUTDOWN_SECONDS = 1_800
_LAST_RECORDS_SECONDS = 10.0
_LAST_RECORDS_OF_AN_INTERRUPTED_SECONDS = 0.3
_IDLE_SECONDS = 0.2
_LOG_EVERY_SECONDS = 3.0
_LONGEST_OUTAGE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Companions:
    """What a publisher has done beside publishing."""

    recording: Recording
    receiving: Receiving


StartsCompanions = Callable[[dg.OpExecutionContext, Pipeline, Settings], Companions]


def in_processes(context: dg.OpExecutionContext, _: Pipeline, __: Settings) -> Companions:
    """For a pipeline and an instance that other processes can open."""
    instance, run_id, log = context.instance, context.run_id, BestEffortLog(context.log)
    return Companions(
        RecordingProcess(instance, run_id, log), ReceivingProcess(run_id, log, partial(report, instance))
    )


def in_this_process(context: dg.OpExecutionContext, pipeline: Pipeline, settings: Settings) -> Companions:
    """For a pipeline that this process alone has."""
    return Companions(
        RecordingLoop(pipeline, settings, context.instance, context.run, BestEffortLog(context.log)),
        ReceivingThreads(pipeline, context.run_id, partial(report, context.instance)),
    )


def publish_affected_job(settings: Settings, companions: StartsCompanions) -> dg.JobDefinition:
    """A run of this job is a publisher. Several may run at once."""

    @dg.op(
        name="publish",
        description="Rebuilds, publishes and records affected schedules until none is left.",
        pool=POOL,
    )
    def publish(context: dg.OpExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> None:
        beside = companions(context, pipeline, settings)
        with closing(beside.recording):
            _publish(context, pipeline, beside, settings)

    description = "Publishes the schedules that a change affects. The sensors of both queues start it."
    longest_seconds = settings.publisher_session_seconds + _LONGEST_SHUTDOWN_SECONDS
    return single_op_job(publish, JOB_NAME, description, tags={"dagster/max_runtime": str(longest_seconds)})


def _publish(
    context: dg.OpExecutionContext, pipeline: Pipeline, beside: Companions, settings: Settings
) -> None:
    """Publish until the session is over, or a signal ends it."""
    publishing = PublishingThread(pipeline, context.run_id, context.run.tags.get(RESERVATION_TAG, ""))
    session = _Session(context, pipeline, beside, publishing, settings)
    with quick_threads(), publishing, closing(beside.receiving) as receiving:
        try:
            with FollowedSwitches(context.instance, receiving.leave_off):
                session.work()
            session.end()
        except dg.DagsterExecutionInterruptedError:
            # A second signal must not interrupt the handover.
            with capture_interrupts():
                if _hand_over(context, receiving, publishing, session):
                    raise


def _hand_over(
    context: dg.OpExecutionContext, receiving: Receiving, publishing: PublishingThread, session: "_Session"
) -> bool:
    """Returns whether a person ended the run, as far as Dagster says so in time. It calls a run failed that a signal
    alone has ended; this one has handed over, so it succeeds.
    """
    until = time.monotonic() + _LONGEST_HANDOVER_OF_AN_INTERRUPTED_SECONDS
    is_cancelled = Event()
    asking = _begin(lambda: _ask_whether_cancelled(context, is_cancelled))
    _begin(receiving.dismiss, session.hand_over_now).join(_seconds_until(until))
    publishing.abandon()
    receiving.stop(_seconds_until(until))
    asking.join(_seconds_until(until))
    return is_cancelled.is_set()


def _begin(*steps: Callable[[], None]) -> Thread:
    """Run the steps in a thread that the end of the process ends: Redis and Dagster's database may hang, and then each
    call lasts ten seconds.
    """
    thread = Thread(target=lambda: [step() for step in steps], name="handing over", daemon=True)
    thread.start()
    return thread


def _seconds_until(until: float) -> float:
    return max(0.0, until - time.monotonic())


def _ask_whether_cancelled(context: dg.OpExecutionContext, is_cancelled: Event) -> None:
    # Each storage has errors of its own.
    with suppress(Exception):
        run = context.instance.get_run_by_id(context.run_id)
        if run is not None and run.status is dg.DagsterRunStatus.CANCELING:
            is_cancelled.set()


def scale_policy(settings: Settings) -> ScalePolicy:
    """Without a time to linger, a publisher stands ready, because starting one takes seconds."""
    return ScalePolicy(settings.most_publishers, idle=int(settings.publisher_linger_seconds is None))


class _Session:
    """What the op's own thread does while the other one publishes."""

    def __init__(
        self,
        context: dg.OpExecutionContext,
        pipeline: Pipeline,
        beside: Companions,
        publishing: PublishingThread,
        settings: Settings,
    ) -> None:
        self._context = context
        self._log = BestEffortLog(context.log)
        self._pipeline = pipeline
        self._recording = beside.recording
        self._receiving = beside.receiving
        self._publishing = publishing
        self._policy = scale_policy(settings)
        self._linger_seconds = settings.publisher_linger_seconds
        self._deadline = time.monotonic() + settings.publisher_session_seconds
        self._wanted_at = time.monotonic()
        self._log_at = 0.0

    def work(self) -> None:
        """Go on until this publisher is idle, surplus or has run for long enough; then until another one runs."""
        while not self._is_over():
            self._step()
        if self._needs_successor():
            self._publishing.leave()
            if self._wait_for_successor():
                time.sleep(_OVERLAP_SECONDS)

    def _wait_for_successor(self) -> bool:
        """Whether one has started meanwhile."""
        until, has_waited = time.monotonic() + _HANDOVER_SECONDS, False
        while (
            time.monotonic() < until and self._needs_successor() and not self._publishing.publishers.running
        ):
            self._step()
            has_waited = True
        return has_waited and bool(self._publishing.publishers.running)

    def end(self) -> None:
        """Wait for what has begun. The last publisher has everything recorded."""
        self._receiving.close()
        self._publishing.close()
        if not self._pipeline.store.presence.present().running:
            self._recording.finish()

    def hand_over_now(self) -> None:
        """The process must end within seconds, and needs them if schedules are to be published now."""
        self._recording.dismiss()
        if self._is_active():
            self._publishing.hand_over(_HANDOVER_OF_AN_INTERRUPTED_SECONDS)
        self._publishing.stop(_LAST_BATCH_OF_AN_INTERRUPTED_SECONDS)
        self._recording.stop(_LAST_RECORDS_OF_AN_INTERRUPTED_SECONDS)
        with suppress(ServiceError):
            self._pipeline.store.feed.return_unrecorded(self._publishing.name)

    def _is_over(self) -> bool:
        now = time.monotonic()
        if now > self._publishing.last_success + _LONGEST_OUTAGE_SECONDS:
            raise dg.Failure(
                f"nothing could be published for {_LONGEST_OUTAGE_SECONDS} s; the sensors start another publisher "
                "as soon as the store answers again"
            )
        has_ended = self._is_idle(now) or now > self._deadline or now > self._wanted_at + _SURPLUS_SECONDS
        return has_ended and self._can_be_followed()

    def _can_be_followed(self) -> bool:
        """Without its database, Dagster could start no other publisher and would not know that this one has ended."""
        try:
            self._context.instance.get_run_by_id(self._context.run_id)
        except Exception:  # noqa: BLE001 - each storage has errors of its own
            return False
        return True

    def _is_idle(self, now: float) -> bool:
        """Not while it has versions to record: those that a dead publisher had taken come to it after a minute, and
        until then the sensors would start one publisher after another for them.
        """
        lingers = self._linger_seconds
        if lingers is None or now <= self._publishing.last_active + lingers:
            return False
        if self._publishing.publishers.recorder not in {"", self._publishing.name}:
            return True
        try:
            return self._pipeline.store.feed.unrecorded() == 0
        except ServiceError:
            return True

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
        """See that it receives and that one publisher records, and tell the run's log what was published."""
        self._receiving.keep_up()
        if time.monotonic() >= self._log_at:
            # Takes half a minute if Dagster's database does not answer.
            _log_results(self._log, self._publishing.take_results())
            now = time.monotonic()
            self._note_whether_wanted(now)
            self._log_at = now + _LOG_EVERY_SECONDS
        if self._publishing.publishers.recorder == self._publishing.name:
            self._wanted_at = time.monotonic()
            self._recording.keep_up()
        else:
            self._recording.stop(_LAST_RECORDS_SECONDS)
        time.sleep(_IDLE_SECONDS)

    def _note_whether_wanted(self, now: float) -> None:
        store, publishers = self._pipeline.store, self._publishing.publishers
        try:
            wanted = publishers_wanted(store.work.backlog(), publishers, self._policy, self._pipeline.clock())
        except ServiceError:
            return
        if not is_surplus(self._publishing.name, wanted, publishers):
            self._wanted_at = now


def _log_results(log: RunLog, results: Sequence[BatchResult | Exception]) -> None:
    """One line for all batches, because each line is an event of the run; and one for each failure."""
    batches = [result for result in results if isinstance(result, BatchResult)]
    if batches:
        total = sum(batches, EMPTY_BATCH)
        outcomes = ", ".join(f"{n} {outcome}" for outcome in Outcome if (n := total.count(outcome)))
        log.info(
            f"{len(total.built)} schedules in {len(batches)} batches and {total.seconds * 1000:.0f} ms: "
            f"{outcomes or 'none'}"
        )
        for key, error in total.failed.items():
            log.warning(f"{key} could not be fetched, and waits: {error}")
    for result in results:
        if isinstance(result, Exception):
            log.warning(f"a batch failed and was put back: {in_full(result)}")
