"""The schedules: the accepted source, its entries in the index, and the document that partners get.

One build writes the three together, so they are one multi-asset. Materialising a partition, or a range,
rebuilds it from the sources, trusting nothing that we hold; the result is the same as by an event.
"""

from collections.abc import Iterator, Sequence

import dagster as dg

from schedules_pipeline.assets import names
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.partitions import schedule_key
from schedules_pipeline.publishing.ports.schedules import Outcome
from schedules_pipeline.publishing.publish import BATCH_SIZE
from schedules_pipeline.recording import Recorder
from schedules_pipeline.settings import Settings


def schedule_assets(settings: Settings, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """The multi-asset of service × date. A partition without a source document is not materialised."""

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
        recorder = Recorder(pipeline, settings, context.instance, context.log_event, context.run_id)
        failed: dict[ScheduleKey, Exception] = {}
        for start in range(0, len(keys), BATCH_SIZE):
            failed |= _rebuild(context, pipeline, recorder, keys[start : start + BATCH_SIZE])
            context.log.info(f"{min(start + BATCH_SIZE, len(keys))} of {len(keys)} schedules rebuilt")
        if failed:
            raise dg.Failure(
                f"{len(failed)} schedules could not be fetched; they are tried again by themselves",
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
    # What never was there is no news; what is gone now is.
    recorder.record_rebuilt(
        [built.key for built in batch.built if built.etag or built.outcome is Outcome.PUBLISHED]
    )
    return dict(batch.failed)


def _specs() -> list[dg.AssetSpec]:
    catalogue = [names.CATALOGUE_EPISODES, names.CATALOGUE_SERIES, names.CATALOGUE_BRANDS]
    return [
        dg.AssetSpec(
            names.SOURCE_SCHEDULE,
            deps=[names.SCHEDULE_DOCUMENTS, names.SCHEDULE_EVENTS],
            description="The source document that was accepted last. What is refused never replaces it.",
            group_name="schedules",
            kinds={"redis", "json"},
            owners=names.OWNERS,
            skippable=True,
        ),
        dg.AssetSpec(
            names.BACK_REFERENCE_INDEX,
            deps=[names.SOURCE_SCHEDULE, *catalogue],
            description=(
                "This schedule's entries in the index from every catalogue pid to the schedules that depend on it, "
                "pids that the catalogue lacks included."
            ),
            group_name="schedules",
            kinds={"redis"},
            owners=names.OWNERS,
            skippable=True,
        ),
        dg.AssetSpec(
            names.PARTNER_SCHEDULE,
            deps=[names.SOURCE_SCHEDULE, *catalogue],
            description="The document that partners get: a pure function of the accepted source and our copies.",
            group_name="schedules",
            kinds={"redis", "json"},
            owners=names.OWNERS,
            skippable=True,
        ),
    ]
