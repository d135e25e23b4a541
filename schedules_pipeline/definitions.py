"""The code location: all definitions, for Dagster."""

import dagster as dg

from schedules_pipeline.assets.catalogue import catalogue_copies
from schedules_pipeline.assets.expectations import expectation_assets
from schedules_pipeline.assets.health import HEALTH_ASSET
from schedules_pipeline.assets.holds import held_losses_asset
from schedules_pipeline.assets.parity import parity_assets
from schedules_pipeline.assets.schedules import schedule_assets
from schedules_pipeline.assets.upstream import external_assets
from schedules_pipeline.checks.health import health_check
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.jobs.coldstart import coldstart_job
from schedules_pipeline.jobs.decide_hold import decide_hold_job
from schedules_pipeline.jobs.full_passes import (
    collect_garbage_job,
    export_state_job,
    prune_records_job,
    reconcile_job,
    timers,
)
from schedules_pipeline.jobs.publish_affected import (
    in_processes,
    in_this_process,
    publish_affected_job,
)
from schedules_pipeline.jobs.rebuild_schedules import rebuild_schedules_job
from schedules_pipeline.partitions import SCHEDULE_PARTITIONS
from schedules_pipeline.resources import pipeline_resource
from schedules_pipeline.sensors.coldstart_control import coldstart_control_sensor
from schedules_pipeline.sensors.queue_events import catalogue_events_sensor, schedule_events_sensor
from schedules_pipeline.sensors.revisit_holds import revisit_holds_sensor
from schedules_pipeline.sensors.watch import watch_sensor
from schedules_pipeline.settings import Settings, load_settings


def build_defs(settings: Settings, pipeline: Pipeline | None = None) -> dg.Definitions:
    """All definitions for these settings. ``pipeline``: None for the one that the environment describes."""
    return dg.Definitions(
        assets=[
            *external_assets(settings),
            catalogue_copies,
            schedule_assets(settings, SCHEDULE_PARTITIONS),
            held_losses_asset(),
            *expectation_assets(settings),
            parity_assets(settings),
            HEALTH_ASSET,
        ],
        asset_checks=[health_check()],
        jobs=[
            publish_affected_job(settings, in_this_process if pipeline else in_processes),
            rebuild_schedules_job(settings),
            coldstart_job(settings),
            prune_records_job(settings),
            collect_garbage_job(),
            export_state_job(settings),
            reconcile_job(settings),
            decide_hold_job(settings),
        ],
        schedules=timers(settings),
        sensors=[
            schedule_events_sensor(settings),
            catalogue_events_sensor(settings),
            coldstart_control_sensor(settings),
            revisit_holds_sensor(settings),
            watch_sensor(settings),
        ],
        resources={"pipeline": pipeline or pipeline_resource, **_io_manager(settings)},
        # A run by hand is one step, and a process of its own for it would take seconds to start.
        executor=dg.in_process_executor,
    )


def _io_manager(settings: Settings) -> dict[str, dg.ConfigurableIOManager]:
    """Where Dagster stores the outputs of ops. Its default, the local disk, is lost when an ECS task ends.

    The pipeline's own output goes to Redis and through no I/O manager.
    """
    if settings.io_manager_bucket is None:
        return {}
    from dagster_aws.s3 import S3PickleIOManager, S3Resource  # noqa: PLC0415 - slow to import

    s3 = S3Resource(region_name=settings.aws_region, endpoint_url=settings.aws_endpoint_url)
    return {"io_manager": S3PickleIOManager(s3_resource=s3, s3_bucket=settings.io_manager_bucket)}


@dg.definitions
def definitions() -> dg.Definitions:
    """Dagster calls this when it loads the code location; importing reads no environment."""
    return build_defs(load_settings())
