"""What the runs that a person launches have in common: they rebuild or check named schedules, and record it themselves.

Does not belong here: what is recorded (:mod:`~schedules_pipeline.recording`).
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import dagster as dg

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.event_batches import EventBatch, OwnRunWriter
from schedules_pipeline.partitions import partition_key
from schedules_pipeline.publishing.check_schedules import CheckResult
from schedules_pipeline.publishing.ports.schedules import Outcome
from schedules_pipeline.publishing.publish import in_batches
from schedules_pipeline.publishing.rebuild import EMPTY_BATCH, BatchResult
from schedules_pipeline.recording import BUILT, Recorder
from schedules_pipeline.run_tags import LAUNCHED, OPERATOR, run_tags
from schedules_pipeline.settings import Settings

_FAILURES_SHOWN = 20
_NO_DOCUMENT = "no document"


def rebuild_and_record(
    context: dg.OpExecutionContext,
    pipeline: Pipeline,
    recorder: Recorder,
    keys: Sequence[ScheduleKey],
    requested: AbstractSet[dg.AssetKey] = frozenset(),
) -> tuple[BatchResult, list[CheckResult]]:
    """Rebuild schedules from their sources, and record the results in the run of this op.

    ``requested``: the assets that a person has selected; none for a rebuild without assets. Raises
    :class:`dg.Failure`, after all were tried, if some could not be fetched.
    """
    subject = "materialise" if requested else "rebuild"
    # A run that executes another again has the tags of that one.
    context.instance.add_run_tags(context.run_id, {**run_tags(OPERATOR, subject, keys), **LAUNCHED})
    total, done = EMPTY_BATCH, 0
    checks: list[CheckResult] = []
    for some in in_batches(keys):
        cause = Cause(context.run_id, Origin.OPERATOR, subject, pipeline.clock())
        batch = pipeline.publisher.rebuild_from_sources(some, cause, recorded_by=context.run_id)
        if requested:
            record_absent(context, pipeline, batch)
        checks += recorder.record_rebuilt(batch, requested)
        total, done = total + batch, done + len(some)
        context.log.info(f"{done} of {len(keys)} schedules rebuilt")
    if total.failed:
        OwnRunWriter(context).plan(requested, [partition_key(key) for key in total.failed])
        raise dg.Failure(
            f"{len(total.failed)} schedules could not be fetched; the publisher retries them",
            metadata={str(key): str(error) for key, error in list(total.failed.items())[:_FAILURES_SHOWN]},
        )
    return total, checks


def record_absent(context: dg.OpExecutionContext, pipeline: Pipeline, batch: BatchResult) -> None:
    """Record that selected partitions have no document, as their source has none. Dagster calls a backfill failed if a
    selected partition has no record, and a partition out of date whose input has none, so each asset gets one. A
    partition whose only document was rejected gets none.
    """
    absent = {built.key for built in batch.built if built.outcome is not Outcome.SUPERSEDED}
    absent -= {key for key, head in pipeline.store.feed.heads_of(list(absent)).items() if not head.is_removal}
    rejected = pipeline.store.rejections.find(list(map(str, absent)))
    found = sorted(key for key in absent if str(key) not in rejected)
    events = [
        dg.AssetMaterialization(
            asset,
            description=_NO_DOCUMENT,
            partition=partition_key(key),
            metadata={"document": f"none: the source has no document {key}, and partners get none"},
        )
        for key in found
        for asset in BUILT
    ]
    OwnRunWriter(context).write(EventBatch(_NO_DOCUMENT, events, found))


def own_recorder(context: dg.OpExecutionContext, pipeline: Pipeline, settings: Settings) -> Recorder:
    """A recorder that writes into the run of this op."""
    return Recorder(pipeline, settings, context.instance, OwnRunWriter(context))
