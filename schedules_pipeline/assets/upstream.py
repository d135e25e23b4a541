"""What is not ours: external assets, shown for their lineage. We read them and never write."""

import dagster as dg

from schedules_pipeline.assets import names
from schedules_pipeline.settings import Settings


def external_assets(settings: Settings, partitions: dg.PartitionsDefinition) -> list[dg.AssetSpec]:
    """The two sources, the two queues that announce them, and the old system's output."""
    return [
        dg.AssetSpec(
            names.SCHEDULE_DOCUMENTS,
            description="Schedule documents that an external system puts into S3, one a service and day.",
            group_name="upstream",
            kinds={"s3", "json"},
            partitions_def=partitions,
            metadata={"bucket": settings.schedule_bucket, "object": "schedules/{sid}/{date}.json"},
        ),
        dg.AssetSpec(
            names.CATALOGUE_ITEMS,
            description="Every episode, series and brand, in the catalogue pipeline's Redis keyspace.",
            group_name="upstream",
            kinds={"redis", "json"},
            metadata={"key": f"{settings.catalogue_prefix}{{pid}}"},
        ),
        dg.AssetSpec(
            names.SCHEDULE_EVENTS,
            deps=[names.SCHEDULE_DOCUMENTS],
            description="The queue that announces every put and removal of a schedule document.",
            group_name="upstream",
            kinds={"sqs"},
            metadata={"queue": settings.schedule_queue},
        ),
        dg.AssetSpec(
            names.CATALOGUE_EVENTS,
            deps=[names.CATALOGUE_ITEMS],
            description="The queue that announces every change of a catalogue item.",
            group_name="upstream",
            kinds={"sqs"},
            metadata={"queue": settings.catalogue_queue},
        ),
        dg.AssetSpec(
            names.LEGACY_SCHEDULE,
            deps=[names.SCHEDULE_DOCUMENTS, names.CATALOGUE_ITEMS],
            description=(
                "What the old system wrote: every schedule, rebuilt on a timer. "
                "Our output is proven against it by the check matches_legacy."
            ),
            group_name="legacy",
            kinds={"redis", "json"},
            partitions_def=partitions,
            metadata={"key": f"{settings.legacy_prefix}{{sid}}/{{date}}"},
        ),
    ]
