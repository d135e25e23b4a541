"""The sensors of the queues ``schedule-events`` and ``catalogue-events``."""

from collections.abc import Callable, Iterator

import dagster as dg

from schedules_pipeline.assets import names
from schedules_pipeline.assets.catalogue import ASSET_OF_KIND
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.jobs.publish_affected import JOB_NAME
from schedules_pipeline.publishing.intake import IngestResult
from schedules_pipeline.sensors.missing_redis import find_missing_redis
from schedules_pipeline.sensors.receiving import Intake, receive_for, rejection_metadata
from schedules_pipeline.settings import Settings


def schedule_events_sensor(settings: Settings) -> dg.SensorDefinition:
    return _queue_sensor(
        "schedule_events",
        "Marks schedules for rebuild when their source document is put or removed.",
        settings,
        lambda pipeline: Intake(
            pipeline.upstreams.schedule_queue, pipeline.schedule_intake.handle, _describe_schedule_events
        ),
    )


def catalogue_events_sensor(settings: Settings) -> dg.SensorDefinition:
    return _queue_sensor(
        "catalogue_events",
        "Updates the copies of changed catalogue items, and marks the dependent schedules for rebuild.",
        settings,
        lambda pipeline: Intake(
            pipeline.upstreams.catalogue_queue, pipeline.catalogue_intake.handle, _describe_catalogue_events
        ),
    )


def _queue_sensor(
    name: str, description: str, settings: Settings, intake: Callable[[Pipeline], Intake]
) -> dg.SensorDefinition:
    @dg.sensor(
        name=name,
        job_name=JOB_NAME,
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=description,
    )
    def queue_events(
        context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]
    ) -> dg.SensorResult:
        if hint := find_missing_redis(settings, pipeline):
            return dg.SensorResult(skip_reason=hint)
        return receive_for(settings, pipeline, intake(pipeline), context)

    return queue_events


def _describe_schedule_events(ingested: IngestResult) -> Iterator[dg.AssetObservation]:
    if ingested.received:
        yield dg.AssetObservation(names.SCHEDULE_EVENTS, metadata=rejection_metadata(ingested))


def _describe_catalogue_events(ingested: IngestResult) -> Iterator[dg.AssetObservation]:
    """Observations rather than materialisations, after which Dagster would call every schedule out of date."""
    if ingested.received:
        yield dg.AssetObservation(names.CATALOGUE_EVENTS, metadata=rejection_metadata(ingested))
    for kind, amount in ingested.copies_changed.items():
        yield dg.AssetObservation(
            ASSET_OF_KIND[kind], metadata={"copies_changed": amount, "schedules_marked": ingested.marked}
        )
