"""The schedules: the accepted source, its entries in the index, and the document that partners get.

One build writes all three, so they are one multi-asset. Materialising partitions rebuilds them from the sources, with
the same result as an event has.
"""

from collections.abc import Iterator, Sequence

import dagster as dg

from schedules_pipeline.assets import names
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.partitions import schedule_key
from schedules_pipeline.recording import rebuild_and_record
from schedules_pipeline.settings import Settings


def schedule_assets(settings: Settings, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """The multi-asset, partitioned by service and date. Partitions without a source document are skipped."""

    @dg.multi_asset(
        name="schedules",
        specs=_specs(),
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        can_subset=False,
    )
    def schedules(
        context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]
    ) -> Iterator[dg.MaterializeResult[None]]:
        keys = [schedule_key(partition) for partition in context.partition_keys]
        rebuild_and_record(context.op_execution_context, pipeline, settings, keys, "materialise")
        yield from ()

    return schedules


def _specs() -> list[dg.AssetSpec]:
    catalogue = [names.CATALOGUE_EPISODES, names.CATALOGUE_SERIES, names.CATALOGUE_BRANDS]
    return [
        _spec(
            names.SOURCE_SCHEDULE,
            [names.SCHEDULE_DOCUMENTS, names.SCHEDULE_EVENTS],
            "The latest accepted source document. A rejected document never replaces it.",
            {"redis", "json"},
        ),
        _spec(
            names.BACK_REFERENCE_INDEX,
            [names.SOURCE_SCHEDULE, *catalogue],
            "This schedule's entries in the index from catalogue pids to the schedules that depend on them, "
            "including pids that the catalogue lacks.",
            {"redis"},
        ),
        _spec(
            names.PARTNER_SCHEDULE,
            [names.SOURCE_SCHEDULE, *catalogue],
            "The document that partners get, computed from the accepted source and the catalogue copies.",
            {"redis", "json"},
        ),
    ]


def _spec(key: dg.AssetKey, deps: Sequence[dg.AssetKey], description: str, kinds: set[str]) -> dg.AssetSpec:
    return dg.AssetSpec(
        key,
        deps=deps,
        description=description,
        group_name="schedules",
        kinds=kinds,
        owners=names.OWNERS,
        skippable=True,
    )
