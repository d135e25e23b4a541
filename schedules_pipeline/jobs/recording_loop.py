"""What a publisher does beside publishing: it records versions in Dagster, and compares them with the old system."""

import time
from datetime import timedelta
from typing import Protocol

import dagster as dg

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.errors import PipelineError
from schedules_pipeline.event_batches import BatchRunWriter
from schedules_pipeline.jobs.child_process import Companion
from schedules_pipeline.jobs.rebuild_schedules import rebuild_config, rebuild_schedules_job
from schedules_pipeline.jobs.run_log import RunLog
from schedules_pipeline.logs import log_pass
from schedules_pipeline.recording import RECORDED_AT_ONCE, Recorder
from schedules_pipeline.settings import Settings

_RECORD_EVERY_SECONDS = 1.0
"""Each record is a run of its own, and a user of Dagster reads a list of them."""

_FLOOD, _FLOOD_WITHIN = 600, timedelta(seconds=3)
_LONGEST_FLOOD_SECONDS = 180.0
"""Versions that are published faster than this cannot be recorded at that rate, and recording them would take processor
time from publishing. They are recorded when the flood is over, and one batch every three minutes while it lasts
(docs/adr/0051).
"""

_REJECTIONS_EVERY_SECONDS = 5.0
_PAUSE_AFTER_ERROR_SECONDS = 1.0
_IDLE_SECONDS = 0.2


class Recording(Companion, Protocol):
    """The recording of a publisher. What is not recorded when it stops is left to the next publisher."""

    def finish(self) -> None:
        """Record everything that is published, and stop."""


class RecordingLoop:
    """The work of recording, in steps. Also a :class:`Recording` that works in the caller's thread."""

    def __init__(
        self,
        pipeline: Pipeline,
        settings: Settings,
        instance: dg.DagsterInstance,
        run: dg.DagsterRun,
        log: RunLog,
    ) -> None:
        writer = BatchRunWriter(
            instance, rebuild_schedules_job(settings), rebuild_config, run, pipeline.clock
        )
        self._pipeline = pipeline
        self._recorder = Recorder(pipeline, settings, instance, writer)
        self._run_id = run.run_id
        self._log = log
        self._record_at = self._rejections_at = self._yields_until = 0.0

    def keep_up(self) -> None:
        """Record and compare once, if it is time to."""
        now = time.monotonic()
        if now < self._record_at:
            return
        try:
            self._watch(now)
            pause = self._record(now)
        except PipelineError as error:
            self._log.warning(f"trying again in a moment: {error}")
            pause = _PAUSE_AFTER_ERROR_SECONDS
        self._record_at = now + pause

    def dismiss(self) -> None:
        """Each call of :meth:`keep_up` has recorded when it returns, so that nothing remains to be stopped."""

    def stop(self, patience_seconds: float) -> None:  # noqa: ARG002 - as of a process
        self.dismiss()

    def finish(self) -> None:
        self._recorder.record_all_published()

    def close(self) -> None:
        self.dismiss()

    def _watch(self, now: float) -> None:
        if now >= self._rejections_at:
            self._recorder.record_rejections()
            self._recorder.record_quarantined_broadcasts()
            self._recorder.record_holds()
            self._rejections_at = now + _REJECTIONS_EVERY_SECONDS
        self._pipeline.observer.observe()
        self._repair()

    def _record(self, now: float) -> float:
        """Returns the seconds from the beginning of the call to the next one."""
        if now < self._yields_until and self._is_flooded():
            return _RECORD_EVERY_SECONDS
        recorded = self._recorder.record_published()
        if self._pipeline.comparer.is_due():
            count = self._pipeline.comparer.compare_all(self._recorder.record_comparisons)
            self._log.info(f"compared with the old system: {count} outcomes are new")
        if recorded == RECORDED_AT_ONCE:
            self._yields_until = time.monotonic() + _LONGEST_FLOOD_SECONDS
            return 0.0
        return _RECORD_EVERY_SECONDS if recorded else _IDLE_SECONDS

    def _is_flooded(self) -> bool:
        feed, since = self._pipeline.store.feed, self._pipeline.clock() - _FLOOD_WITHIN
        return len(feed.read_after(feed.position_before(since), _FLOOD)) == _FLOOD

    def _repair(self) -> None:
        """Repair what a failover of Redis has lost, as soon as any witness has noticed it."""
        report = self._pipeline.repairer.repair_if_needed(self._run_id, self._log.info)
        if report is not None:
            self._log.warning(
                f"Redis lost writes: {report.counts['differed']} schedules differed and were rebuilt"
            )
            log_pass(report)
