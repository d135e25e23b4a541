"""The coldstart: everything is rebuilt from the sources, in a few large runs.

A backfill over the shards of this job. Each run claims its share of all schedules, of those that the source
lists and of those that we hold, batch by batch, and builds them. The batch of a run that dies is built by any
publisher once its lease has expired; the batches after it want the shard to be started again, which is
harmless: what is right already is not published.
"""

import time
from collections.abc import Sequence

import dagster as dg

from schedules_pipeline.assets.catalogue import ASSET_OF_KIND
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.partitions import coldstart_shards, in_shard
from schedules_pipeline.ports.schedules import Outcome
from schedules_pipeline.ports.work import Cause, Origin
from schedules_pipeline.recording import Recorder
from schedules_pipeline.settings import Settings
from schedules_pipeline.workflows.publish import BATCH_SIZE

JOB_NAME = "coldstart"


def coldstart_job(settings: Settings) -> dg.JobDefinition:
    """The job, partitioned by its shards."""
    shards = coldstart_shards(settings)

    @dg.op(name="rebuild_all", description="Rebuild one share of all schedules from their sources.")
    def rebuild_all(context: dg.OpExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> None:
        keys = _keys_of_shard(pipeline, context.partition_key)
        if context.partition_key == shards.get_first_partition_key():
            _record_catalogue(context)
        recorder = Recorder(pipeline, settings, context.instance, context.log_event, context.run_id)
        cause = Cause(context.run_id, Origin.COLDSTART, context.partition_key, pipeline.clock())
        published = _rebuild(context, pipeline, keys, cause)
        recorder.record_all_published()
        context.add_output_metadata({"schedules": len(keys), "published": published})

    @dg.job(
        name=JOB_NAME,
        description="Rebuilds everything from the sources; launch a backfill over all of its partitions.",
        partitions_def=shards,
        executor_def=dg.in_process_executor,
    )
    def coldstart() -> None:
        rebuild_all()

    return coldstart


def _record_catalogue(context: dg.OpExecutionContext) -> None:
    """Before any schedule: what is built from now on is built from copies that were compared with their source."""
    for key in ASSET_OF_KIND.values():
        context.log_event(dg.AssetMaterialization(key, description="compared with the source by a coldstart"))


def _keys_of_shard(pipeline: Pipeline, shard: str) -> list[ScheduleKey]:
    """By date first, so that a batch holds the regional variants that share their episodes."""
    listed = set(pipeline.upstreams.schedule_source.list_keys()) | pipeline.store.feed.heads().keys()
    return sorted((key for key in listed if in_shard(key, shard)), key=lambda key: (key.date, key.sid))


def _rebuild(
    context: dg.OpExecutionContext, pipeline: Pipeline, keys: Sequence[ScheduleKey], cause: Cause
) -> int:
    began = time.monotonic()
    published, failed = 0, 0
    for start in range(0, len(keys), BATCH_SIZE):
        batch = pipeline.publisher.rebuild_from_sources(keys[start : start + BATCH_SIZE], cause)
        published += batch.count(Outcome.PUBLISHED)
        failed += len(batch.failed)
        done = min(start + BATCH_SIZE, len(keys))
        rate = done / (time.monotonic() - began)
        context.log.info(
            f"{done} of {len(keys)} schedules ({done / len(keys):.0%}), {published} published, {failed} failed, "
            f"{rate:.0f} a second, {(len(keys) - done) / rate:.0f} s left"
        )
    return published
