"""Reads what only Dagster knows: failed runs, sensors that are off or do not tick, and heartbeats of daemons."""

from collections.abc import Iterable
from datetime import UTC, datetime

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.health.ports import DagsterSnapshot, FailedRun
from schedules_pipeline.jobs.switches import names_off, stored_states
from schedules_pipeline.sensors.switches import heartbeats, ticked_at

WATCH = "watch"
"""The sensor that takes the snapshot, so it is on."""

_LATEST = 10
"""Overlapping runs of one job may end in another order than they began, so several are compared."""

_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
"""A cancelled run does not say whether its job works."""


def take_snapshot(
    context: dg.SensorEvaluationContext, pipeline: Pipeline, *, had_partners: bool
) -> DagsterSnapshot:
    instance, repository = context.instance, context.repository_def
    jobs = repository.job_names if repository else ()
    names = {sensor.name for sensor in repository.sensor_defs} if repository else set()
    names.discard(WATCH)
    states = [s for s in stored_states(instance, InstigatorType.SENSOR) if s.instigator_name in names]
    return DagsterSnapshot(
        at=pipeline.clock(),
        failed_runs=tuple(find_failed_runs(instance, jobs, _active_publishers(pipeline))),
        sensors_off=tuple(sorted(names_off(states))),
        ticked_at=ticked_at(instance, states),
        daemons=heartbeats(instance),
        had_partners=had_partners,
    )


def find_failed_runs(
    instance: dg.DagsterInstance, jobs: Iterable[str], active_runs: Iterable[str] = ()
) -> list[FailedRun]:
    """The latest finished run of each job, if it failed.

    A job of which one of ``active_runs`` is still publishing has recovered, so its failed runs are left out.
    """
    active = [run for name in active_runs if (run := instance.get_run_by_id(name))]
    recovered = {run.job_name for run in active if not run.is_finished}
    latest = [_latest_finished(instance, job) for job in jobs if job not in recovered]
    return [
        FailedRun(record.dagster_run.job_name, record.dagster_run.run_id, _ended_at(record))
        for record in latest
        if record is not None and record.dagster_run.status is dg.DagsterRunStatus.FAILURE
    ]


def _active_publishers(pipeline: Pipeline) -> tuple[str, ...]:
    try:
        return pipeline.store.presence.present().running
    except ServiceError:
        return ()


def _latest_finished(instance: dg.DagsterInstance, job: str) -> dg.RunRecord | None:
    filters = dg.RunsFilter(job_name=job, statuses=_FINISHED)
    return max(instance.get_run_records(filters, limit=_LATEST), key=_ended_at, default=None)


def _ended_at(record: dg.RunRecord) -> datetime:
    return _instant(record.end_time) if record.end_time else record.update_timestamp


def _instant(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)
