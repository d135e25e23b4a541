"""External assets: what other systems own. The pipeline reads it and never writes it."""

from datetime import timedelta
from typing import Any

import dagster as dg

from schedules_pipeline.assets import names
from schedules_pipeline.settings import Settings


def external_assets(settings: Settings) -> list[dg.AssetSpec]:
    """Without partitions: their records are about all schedules, and a grid of theirs would be empty."""
    return [
        _external(
            names.SCHEDULE_DOCUMENTS,
            "Schedule documents in S3, one for each service and day. An external system writes them.",
            kinds={"s3", "json"},
            metadata={"bucket": settings.schedule_bucket, "object": "schedules/{sid}/{date}.json"},
            # Each batch of accepted documents is a materialisation. Every service announces one more day each day.
            freshness_policy=dg.FreshnessPolicy.time_window(timedelta(hours=36), timedelta(hours=26)),
        ),
        _external(
            names.CATALOGUE_ITEMS,
            "Every episode, series and brand, in the catalogue pipeline's Redis keyspace.",
            kinds={"redis", "json"},
            metadata={"key": f"{settings.catalogue_prefix}{{pid}}"},
        ),
        _external(
            names.SCHEDULE_EVENTS,
            "SQS queue that announces every put and removal of a schedule document.",
            kinds={"sqs"},
            deps=[names.SCHEDULE_DOCUMENTS],
            metadata={"queue": settings.schedule_queue},
        ),
        _external(
            names.CATALOGUE_EVENTS,
            "SQS queue that announces every change of a catalogue item.",
            kinds={"sqs"},
            deps=[names.CATALOGUE_ITEMS],
            metadata={"queue": settings.catalogue_queue},
        ),
        _legacy_schedule(settings),
    ]


def _legacy_schedule(settings: Settings) -> dg.AssetSpec:
    return _external(
        names.LEGACY_SCHEDULE,
        "Schedules of the old system, which rebuilds all of them on a timer. The check matches_legacy compares "
        "partner_schedule with them.",
        group_name="legacy",
        deps=[names.SCHEDULE_DOCUMENTS, names.CATALOGUE_ITEMS],
        kinds={"redis", "json"},
        metadata={"key": f"{settings.legacy_prefix}{{sid}}/{{date}}"},
        # Each refresh that was compared is a materialisation.
        freshness_policy=dg.FreshnessPolicy.time_window(timedelta(minutes=settings.alarm_legacy_minutes)),
    )


def _external(
    key: dg.AssetKey, description: str, group_name: str = "upstream", **options: Any
) -> dg.AssetSpec:
    return dg.AssetSpec(key, description=description, group_name=group_name, **options)
