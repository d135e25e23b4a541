"""The sensor of the queue ``schedule-events``."""

from collections.abc import Iterator

import dagster as dg

from schedules_pipeline.assets import names
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.jobs.publish_affected import JOB_NAME
from schedules_pipeline.publishing.intake import IngestResult
from schedules_pipeline.sensors.receiving import receive_for, rejection_metadata
from schedules_pipeline.settings import Settings


def schedule_events_sensor(settings: Settings) -> dg.SensorDefinition:
    @dg.sensor(
        name="schedule_events",
        job_name=JOB_NAME,
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Marks every schedule whose source document was put or removed.",
    )
    def schedule_events(
        context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]
    ) -> dg.SensorResult:
        return receive_for(
            settings.sensor_tick_seconds,
            pipeline,
            pipeline.upstreams.schedule_queue,
            pipeline.schedule_intake.handle,
            _describe,
            context.log.warning,
        )

    return schedule_events


def _describe(taken: IngestResult) -> Iterator[dg.AssetObservation]:
    if taken.received:
        yield dg.AssetObservation(names.SCHEDULE_EVENTS, metadata=rejection_metadata(taken))
