"""The sensor that starts coldstarts when they are needed, and launches runs for a coldstart that has no worker."""

import uuid
from datetime import datetime

import dagster as dg
from pydantic import TypeAdapter, ValidationError

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.jobs.coldstart import ID_TAG, JOB_NAME, describe
from schedules_pipeline.maintenance.coldstart import LEASE_FOR
from schedules_pipeline.maintenance.ports import Coldstart
from schedules_pipeline.maintenance.protect import ProtectionMemory
from schedules_pipeline.partitions import coldstart_shards
from schedules_pipeline.run_tags import OPERATOR, run_tags
from schedules_pipeline.sensors.missing_redis import find_missing_redis
from schedules_pipeline.settings import Settings

_INTERVAL_SECONDS = 5
_CURSOR = TypeAdapter(ProtectionMemory)


def coldstart_control_sensor(settings: Settings) -> dg.SensorDefinition:
    shards = coldstart_shards(settings).get_partition_keys()

    @dg.sensor(
        name="coldstart_control",
        job_name=JOB_NAME,
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Starts a coldstart when the pipeline's keyspace is empty, or when too many catalogue events wait. Notices "
            "that Redis lost writes. Launches the runs of every coldstart, and replaces runs that died."
        ),
    )
    def coldstart_control(
        context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]
    ) -> dg.SensorResult:
        if hint := find_missing_redis(settings, pipeline):
            return dg.SensorResult(skip_reason=hint)
        try:
            verdict = pipeline.protector.check(parse_cursor(context.cursor), str(uuid.uuid4()))
            latest = pipeline.store.coldstarts.latest()
        except ServiceError as error:
            return dg.SensorResult(skip_reason=f"trying again in a moment: {error}")
        cursor = _CURSOR.dump_json(verdict.remembered).decode()
        if latest is None or latest.stage.is_final:
            return dg.SensorResult(skip_reason="no coldstart is open", cursor=cursor)
        if _has_worker(latest, context.instance, pipeline.clock()):
            return dg.SensorResult(skip_reason=describe(latest, pipeline), cursor=cursor)
        trigger = "protection" if latest.request.by_itself else OPERATOR
        tags = {ID_TAG: latest.id, **run_tags(trigger, latest.request.reason)}
        requests = [dg.RunRequest(job_name=JOB_NAME, partition_key=shard, tags=tags) for shard in shards]
        return dg.SensorResult(run_requests=requests, cursor=cursor)

    return coldstart_control


def parse_cursor(cursor: str | None) -> ProtectionMemory:
    """The memory of the last tick; an empty memory if there is none, or none that can be decoded.

    Of the memory of an older release only the storm is read.
    """
    if not cursor:
        return ProtectionMemory()
    try:
        return _CURSOR.validate_json(cursor)
    except ValidationError:
        return ProtectionMemory()


def _has_worker(coldstart: Coldstart, instance: dg.DagsterInstance, now: datetime) -> bool:
    """Whether a run works at the coldstart, or was launched within the last lease.

    The status of runs is no evidence, because Dagster shows a killed run as started.
    """
    if coldstart.alive_at is not None and now < coldstart.alive_at + LEASE_FOR:
        return True
    recent = dg.RunsFilter(job_name=JOB_NAME, created_after=now - LEASE_FOR)
    return bool(instance.get_run_records(recent, limit=1))
