"""The sensor that protects, and that sees a coldstart through: it launches runs where nobody works at it."""

import uuid
from datetime import datetime

import dagster as dg
from pydantic import TypeAdapter, ValidationError

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.jobs.coldstart import ID_TAG, JOB_NAME, describe
from schedules_pipeline.maintenance.coldstart import LEASE_FOR
from schedules_pipeline.maintenance.ports.coldstart import Coldstart
from schedules_pipeline.maintenance.protect import ProtectionMemory
from schedules_pipeline.partitions import coldstart_shards
from schedules_pipeline.settings import Settings

_LOOK_EVERY_SECONDS = 5
_REMEMBERED = TypeAdapter(ProtectionMemory)


def coldstart_control_sensor(settings: Settings) -> dg.SensorDefinition:
    shards = coldstart_shards(settings).get_partition_keys()

    @dg.sensor(
        name="coldstart_control",
        job_name=JOB_NAME,
        minimum_interval_seconds=_LOOK_EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Begins a coldstart where our keyspace is empty or not what it was, or where too many catalogue events "
            "wait; launches the runs of one that was asked for, and launches them again where they died."
        ),
    )
    def coldstart_control(
        context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]
    ) -> dg.SensorResult:
        try:
            verdict = pipeline.protector.look(remembered(context.cursor), str(uuid.uuid4()))
            latest = pipeline.store.coldstarts.latest()
        except ServiceError as error:
            return dg.SensorResult(skip_reason=f"looking again in a moment: {error}")
        cursor = _REMEMBERED.dump_json(verdict.remembered).decode()
        if latest is None or latest.stage.is_final:
            return dg.SensorResult(skip_reason="no coldstart is open", cursor=cursor)
        if _is_cared_for(latest, context.instance, pipeline.clock()):
            return dg.SensorResult(skip_reason=describe(latest, pipeline), cursor=cursor)
        tags = {ID_TAG: latest.id}
        requests = [dg.RunRequest(job_name=JOB_NAME, partition_key=shard, tags=tags) for shard in shards]
        return dg.SensorResult(run_requests=requests, cursor=cursor)

    return coldstart_control


def remembered(cursor: str | None) -> ProtectionMemory:
    """What the last look left; a cursor that says nothing is one of nothing seen yet."""
    if not cursor:
        return ProtectionMemory()
    try:
        return _REMEMBERED.validate_json(cursor)
    except ValidationError:
        return ProtectionMemory()


def _is_cared_for(coldstart: Coldstart, instance: dg.DagsterInstance, now: datetime) -> bool:
    """Whether somebody works at it, or was launched so lately that it may not have come to it yet.

    Not by the status of runs: one whose process was killed goes on being called started.
    """
    if coldstart.alive_at is not None and now < coldstart.alive_at + LEASE_FOR:
        return True
    lately = dg.RunsFilter(job_name=JOB_NAME, created_after=now - LEASE_FOR)
    return bool(instance.get_run_records(lately, limit=1))
