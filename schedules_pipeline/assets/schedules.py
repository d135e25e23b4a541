"""The schedules: the accepted source, its entries in the index, and the document that partners get.

One build writes all three, so they are one multi-asset. Materialising partitions rebuilds them from the sources, with
the same result as an event has.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

import dagster as dg

from schedules_pipeline.assets import names
from schedules_pipeline.assets.schedule_checks import check_specs, evaluate_checks, summarise
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.dagster_storage import forget_evaluations_of_all
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.partitions import schedule_key
from schedules_pipeline.publishing.check_schedules import CheckName, CheckResult
from schedules_pipeline.publishing.ports.feed import published_keys
from schedules_pipeline.recording import Recorder
from schedules_pipeline.run_by_hand import own_recorder, rebuild_and_record
from schedules_pipeline.run_tags import OPERATOR, name_some, run_tags
from schedules_pipeline.settings import Settings


def schedule_assets(settings: Settings, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """The multi-asset, partitioned by service and date, and its checks. Any of them may be selected alone.

    The op stores the materialisations itself, in batches and for the partitions that have a source document. Dagster
    would store them one by one, for every selected partition, and mark them as out of date with each later change of
    an input, also of inputs that the schedule does not depend on.
    """

    @dg.multi_asset(
        name="schedules",
        specs=_specs(),
        check_specs=check_specs(),
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        can_subset=True,
    )
    def schedules(
        context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]
    ) -> Iterator[dg.AssetCheckResult]:
        recorder = own_recorder(context.op_execution_context, pipeline, settings)
        wanted = frozenset(CheckName(key.name) for key in context.selected_asset_check_keys)
        if assets := context.selected_asset_keys:
            results = _materialise(context, pipeline, recorder, assets, wanted)
        else:
            keys, named = _to_check(context, pipeline), name_some(sorted(wanted))
            context.instance.add_run_tags(context.run_id, run_tags(OPERATOR, f"checks {named}", keys))
            results = evaluate_checks(context, pipeline, recorder, keys, wanted)
        forget_evaluations_of_all(context.instance, context.run_id)
        yield from summarise(pipeline, results, wanted, is_state_known=bool(assets))

    return schedules


def _materialise(
    context: dg.AssetExecutionContext,
    pipeline: Pipeline,
    recorder: Recorder,
    assets: AbstractSet[dg.AssetKey],
    wanted: AbstractSet[CheckName],
) -> list[CheckResult]:
    keys = _partitions(context)
    built, results = rebuild_and_record(context.op_execution_context, pipeline, recorder, keys, assets)
    if CheckName.MATCHES_LEGACY in wanted:
        # A version of this run is compared after the old system's next refresh.
        results += recorder.record_known_comparisons(each.key for each in built.built)
    return results


def _partitions(context: dg.AssetExecutionContext) -> list[ScheduleKey]:
    return [schedule_key(partition) for partition in context.partition_keys]


def _to_check(context: dg.AssetExecutionContext, pipeline: Pipeline) -> list[ScheduleKey]:
    """The published schedules; of a run for some partitions, these."""
    published = published_keys(pipeline.store.feed)
    wanted = published.intersection(_partitions(context)) if context.run.is_partitioned else published
    return sorted(wanted)


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
