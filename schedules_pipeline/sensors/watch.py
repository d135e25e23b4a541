"""The sensor of the watch. It adds the one fact that only Dagster knows: which jobs' latest run failed.

The watch itself is in ``health/watch.py``.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

import dagster as dg
import structlog

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.health.facts import FailedRun
from schedules_pipeline.health.watch import WatchReport
from schedules_pipeline.sensors.missing_redis import find_missing_redis
from schedules_pipeline.settings import Settings

INTERVAL_SECONDS = 30

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
_LATEST = 10
"""Overlapping runs of one job may end in another order than they began, so several are compared."""

_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
"""A cancelled run does not say whether its job works."""


def watch_sensor(settings: Settings) -> dg.SensorDefinition:
    """Watches every job of the code location, including Dagster's own job for materialisations by hand."""

    @dg.sensor(
        name="watch",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Checks the health of the pipeline. Sends an alarm when a problem begins and when it ends.",
    )
    def watch(context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]) -> dg.SkipReason:
        if hint := find_missing_redis(settings, pipeline):
            return dg.SkipReason(hint)
        jobs = context.repository_def.job_names if context.repository_def else ()
        failed = find_failed_runs(context.instance, jobs, _active_publisher(pipeline))
        report = pipeline.watch.check(failed)
        for notice in (*report.raised, *report.cleared):
            context.log.warning(f"{notice.phase} {notice.name}: {notice.summary}")
            _log.warning("alarm", alarm=notice.name, phase=notice.phase, summary=notice.summary)
        return dg.SkipReason(describe(report))

    return watch


def find_failed_runs(
    instance: dg.DagsterInstance, jobs: Iterable[str], active_run: str = ""
) -> list[FailedRun]:
    """The latest finished run of each job, if it failed.

    A job whose run ``active_run`` is still publishing has recovered, so its failed runs are left out.
    """
    active = instance.get_run_by_id(active_run) if active_run else None
    recovered = {active.job_name} if active is not None and not active.is_finished else set()
    latest = [_latest_finished(instance, job) for job in jobs if job not in recovered]
    return [
        FailedRun(record.dagster_run.job_name, record.dagster_run.run_id, _ended_at(record))
        for record in latest
        if record is not None and record.dagster_run.status is dg.DagsterRunStatus.FAILURE
    ]


def _active_publisher(pipeline: Pipeline) -> str:
    try:
        return pipeline.store.presence.name()
    except ServiceError:
        return ""


def describe(report: WatchReport) -> str:
    """One line for the list of ticks."""
    problems = ", ".join(incident.name for incident in report.open) or "none"
    sent = f"; sent {len(report.raised)} alarms and {len(report.cleared)} all-clears"
    waiting = f"; {report.undelivered} notices wait, {report.problem}" if report.problem else ""
    return f"problems: {problems}{sent}{waiting}"


def _latest_finished(instance: dg.DagsterInstance, job: str) -> dg.RunRecord | None:
    filters = dg.RunsFilter(job_name=job, statuses=_FINISHED)
    return max(instance.get_run_records(filters, limit=_LATEST), key=_ended_at, default=None)


def _ended_at(record: dg.RunRecord) -> datetime:
    return datetime.fromtimestamp(record.end_time, UTC) if record.end_time else record.update_timestamp
