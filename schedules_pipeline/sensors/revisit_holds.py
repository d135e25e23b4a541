"""The sensor that has held losses judged again, because time ends a hold: its day is over, or less of it is to come."""

import uuid

import dagster as dg

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.sensors.missing_redis import find_missing_redis
from schedules_pipeline.settings import Settings

INTERVAL_SECONDS = 600


def revisit_holds_sensor(settings: Settings) -> dg.SensorDefinition:
    """It marks the schedules for rebuild, and the sensors of the queues start a publisher."""

    @dg.sensor(
        name="revisit_holds",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Has held losses of airtime judged again, and closes those whose day is over.",
    )
    def revisit_holds(pipeline: dg.ResourceParam[Pipeline]) -> dg.SkipReason:
        if hint := find_missing_redis(settings, pipeline):
            return dg.SkipReason(hint)
        try:
            count = pipeline.holds.revisit(str(uuid.uuid4()))
        except ServiceError as error:
            return dg.SkipReason(f"trying again in ten minutes: {error}")
        return dg.SkipReason(f"{count} held schedules are judged again" if count else "nothing is held")

    return revisit_holds
