"""The sensor that has the watch look, with what only Dagster knows: whose latest run failed.

What it finds and tells is the watch's business (``workflows/watch.py``). Every look asks Dagster anew for the
latest finished runs of each job, so a look that died or was late loses nothing.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

import dagster as dg
import structlog

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.health.conditions import FailedRun
from schedules_pipeline.health.watch import WatchReport

LOOK_EVERY_SECONDS = 30

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
_LATEST = 10
"""Runs of one job that overlap may end in another order than they began; so many are looked at."""

_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
"""A run that somebody cancelled says nothing of how the job is."""


def watch_sensor() -> dg.SensorDefinition:
    """Looks at every job of the code location, also at Dagster's own for what is materialised by hand."""

    @dg.sensor(
        name="watch",
        minimum_interval_seconds=LOOK_EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Looks at everything, and tells of what is wrong: once when it begins, once when it is over.",
    )
    def watch(context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]) -> dg.SkipReason:
        jobs = context.repository_def.job_names if context.repository_def else ()
        failed = find_failed_runs(context.instance, jobs, _publisher_at_work(pipeline))
        report = pipeline.watch.look(failed)
        for notice in (*report.raised, *report.cleared):
            context.log.warning(f"{notice.phase} {notice.name}: {notice.summary}")
            _log.warning("alarm", alarm=notice.name, phase=notice.phase, summary=notice.summary)
        return dg.SkipReason(describe(report))

    return watch


def find_failed_runs(instance: dg.DagsterInstance, jobs: Iterable[str], at_work: str = "") -> list[FailedRun]:
    """Of each job whose latest finished run failed, that run; but where another run of it is the publisher that is
    at work now, which may go on for a quarter of an hour, all is well again.
    """
    successor = instance.get_run_by_id(at_work) if at_work else None
    latest = (
        _latest_finished(instance, job)
        for job in jobs
        if successor is None or successor.job_name != job or successor.is_finished
    )
    return [
        FailedRun(record.dagster_run.job_name, record.dagster_run.run_id, _ended_at(record))
        for record in latest
        if record is not None and record.dagster_run.status is dg.DagsterRunStatus.FAILURE
    ]


def _publisher_at_work(pipeline: Pipeline) -> str:
    try:
        return pipeline.store.presence.name()
    except ServiceError:
        return ""


def describe(report: WatchReport) -> str:
    """One line for the list of ticks."""
    standing = ", ".join(episode.name for episode in report.open) or "nothing"
    told = f"; told {len(report.raised)} alarms and {len(report.cleared)} all-clears"
    waiting = f"; {report.undelivered} notices wait, {report.problem}" if report.problem else ""
    return f"wrong: {standing}{told}{waiting}"


def _latest_finished(instance: dg.DagsterInstance, job: str) -> dg.RunRecord | None:
    filters = dg.RunsFilter(job_name=job, statuses=_FINISHED)
    return max(instance.get_run_records(filters, limit=_LATEST), key=_ended_at, default=None)


def _ended_at(record: dg.RunRecord) -> datetime:
    return datetime.fromtimestamp(record.end_time, UTC) if record.end_time else record.update_timestamp
