"""The sensors of the queues ``schedule-events`` and ``catalogue-events``."""

import dagster as dg

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.health.ports import QueueName
from schedules_pipeline.jobs.publish_affected import JOB_NAME
from schedules_pipeline.jobs.receiving import intakes
from schedules_pipeline.sensors.missing_redis import find_missing_redis
from schedules_pipeline.sensors.receiving import receive_for
from schedules_pipeline.settings import Settings


def schedule_events_sensor(settings: Settings) -> dg.SensorDefinition:
    return _queue_sensor(
        QueueName.SCHEDULE_EVENTS,
        "Marks schedules for rebuild when their source document is put or removed.",
        settings,
    )


def catalogue_events_sensor(settings: Settings) -> dg.SensorDefinition:
    return _queue_sensor(
        QueueName.CATALOGUE_EVENTS,
        "Updates the copies of changed catalogue items, and marks the dependent schedules for rebuild.",
        settings,
    )


def _queue_sensor(queue: QueueName, description: str, settings: Settings) -> dg.SensorDefinition:
    @dg.sensor(
        name=queue.value,
        job_name=JOB_NAME,
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"{description} While a publisher receives, it only asks for publishers.",
    )
    def queue_events(
        context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]
    ) -> dg.SensorResult:
        if hint := find_missing_redis(settings, pipeline):
            return dg.SensorResult(skip_reason=hint)
        return receive_for(settings, pipeline, intakes(pipeline)[queue], context)

    return queue_events
