"""The schedules: the accepted source, its entries in the index, and the document that partners get.

One build writes all three, so they are one multi-asset. Materialising partitions rebuilds them from the sources, with
the same result as an event has.
"""

from collections.abc import Iterator, Sequence

import dagster as dg

from schedules_pipeline.assets import names
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.event_batches import OwnRunWriter
from schedules_pipeline.partitions import schedule_key
from schedules_pipeline.publishing.publish import BATCH_SIZE
from schedules_pipeline.recording import Recorder
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
        recorder = Recorder(pipeline, settings, context.instance, OwnRunWriter(context.op_execution_context))
        failed: dict[ScheduleKey, Exception] = {}
        for start in range(0, len(keys), BATCH_SIZE):
            failed |= _rebuild(context, pipeline, recorder, keys[start : start + BATCH_SIZE])
            context.log.info(f"{min(start + BATCH_SIZE, len(keys))} of {len(keys)} schedules rebuilt")
        if failed:
            raise dg.Failure(
                f"{len(failed)} schedules could not be fetched; the publisher retries them",
                metadata={str(key): str(error) for key, error in list(failed.items())[:20]},
            )
        yield from ()

    return schedules


def _rebuild(
    context: dg.AssetExecutionContext,
    pipeline: Pipeline,
    recorder: Recorder,
    keys: Sequence[ScheduleKey],
) -> dict[ScheduleKey, Exception]:
    cause = Cause(context.run_id, Origin.OPERATOR, "materialise", pipeline.clock())
    batch = pipeline.publisher.rebuild_from_sources(keys, cause, recorded_by=context.run_id)
    recorder.record_rebuilt(batch)
    return dict(batch.failed)


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
