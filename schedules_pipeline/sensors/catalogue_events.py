"""The sensor of the queue ``catalogue-events``."""

from collections.abc import Iterator

import dagster as dg

from schedules_pipeline.assets import names
from schedules_pipeline.assets.catalogue import ASSET_OF_KIND
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.jobs.publish_affected import JOB_NAME
from schedules_pipeline.publishing.intake import IngestResult
from schedules_pipeline.sensors.receiving import receive_for, rejection_metadata
from schedules_pipeline.settings import Settings


def catalogue_events_sensor(settings: Settings) -> dg.SensorDefinition:
    @dg.sensor(
        name="catalogue_events",
        job_name=JOB_NAME,
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Brings our copies of changed catalogue items up to date, and marks what depends on them.",
    )
    def catalogue_events(
        context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]
    ) -> dg.SensorResult:
        return receive_for(
            settings.sensor_tick_seconds,
            pipeline,
            pipeline.upstreams.catalogue_queue,
            pipeline.catalogue_intake.handle,
            _describe,
            context.log.warning,
        )

    return catalogue_events


def _describe(taken: IngestResult) -> Iterator[dg.AssetObservation]:
    """What was received, and for each kind of item how many of our copies are new or different.

    Observations rather than materialisations, which would have Dagster call every schedule out of date:
    exactly those that a changed copy touches are marked, and the others are as good as before.
    """
    if taken.received:
        yield dg.AssetObservation(names.CATALOGUE_EVENTS, metadata=rejection_metadata(taken))
    for kind, amount in taken.copies_changed.items():
        yield dg.AssetObservation(
            ASSET_OF_KIND[kind], metadata={"copies_changed": amount, "schedules_marked": taken.marked}
        )
