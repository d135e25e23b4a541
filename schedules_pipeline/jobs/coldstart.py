"""The coldstart: a few large runs rebuild everything from the sources.

To start one, launch a backfill over all shards of this job, or request a coldstart on the command line; the sensor
``coldstart_control`` then launches the runs. A run builds its own shard first, then helps with the others, so that the
surviving runs finish the work of one that died.
"""

from collections.abc import Callable

import dagster as dg
import structlog

from schedules_pipeline.assets.catalogue import ASSET_OF_KIND
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.event_batches import OwnRunWriter
from schedules_pipeline.jobs.building import single_op_job
from schedules_pipeline.jobs.run_log import BestEffortLog
from schedules_pipeline.maintenance.ports import Coldstart
from schedules_pipeline.partitions import coldstart_shards, shard_number
from schedules_pipeline.recording import Recorder
from schedules_pipeline.run_tags import OPERATOR, TRIGGER, run_tags
from schedules_pipeline.settings import Settings

JOB_NAME = "coldstart"
ID_TAG = "schedules/coldstart"
_BACKFILL_TAG = "dagster/backfill"
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def coldstart_job(settings: Settings) -> dg.JobDefinition:
    @dg.op(name="rebuild_all", description="Rebuilds everything from its sources, beginning with one shard.")
    def rebuild_all(context: dg.OpExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> None:
        shard = shard_number(context.partition_key)
        log = _ProgressLog(pipeline, BestEffortLog(context.log).info)
        if TRIGGER not in context.run.tags:
            context.instance.add_run_tags(context.run_id, run_tags(OPERATOR, "coldstart"))
        ended = pipeline.coldstarter.work_at(_coldstart_id(context), context.run_id, shard, log)
        _record_published(context, pipeline, settings)
        _record_catalogue(context)
        context.add_output_metadata(
            {"schedules": ended.total, "published": ended.published, "failed": ended.failed}
        )

    description = "Rebuilds everything from the sources. Launch a backfill over all of its partitions."
    return single_op_job(rebuild_all, JOB_NAME, description, partitions_def=coldstart_shards(settings))


def _coldstart_id(context: dg.OpExecutionContext) -> str:
    """The same for all runs of one request, or of one backfill."""
    tags = context.run.tags
    return tags.get(ID_TAG) or tags.get(_BACKFILL_TAG) or context.run_id


def _record_published(context: dg.OpExecutionContext, pipeline: Pipeline, settings: Settings) -> None:
    """Record as long as Redis answers. A publisher records the rest."""
    recorder = Recorder(pipeline, settings, context.instance, OwnRunWriter(context))
    try:
        recorder.record_all_published()
    except ServiceError as error:
        context.log.warning(f"a publisher records the rest: {error}")


def _record_catalogue(context: dg.OpExecutionContext) -> None:
    """Record that the coldstart has compared every copy in use with its source."""
    for key in ASSET_OF_KIND.values():
        context.log_event(dg.AssetMaterialization(key, description="compared with the source by a coldstart"))


class _ProgressLog:
    """Logs the progress of a coldstart, each line once."""

    def __init__(self, pipeline: Pipeline, log: Callable[[str], None]) -> None:
        self._pipeline = pipeline
        self._log = log
        self._last = ""

    def __call__(self, coldstart: Coldstart) -> None:
        line = describe(coldstart, self._pipeline)
        if line != self._last:
            self._last = line
            self._log(line)
            _log.info("coldstart", coldstart=coldstart.id, stage=coldstart.stage, left=coldstart.left)


def describe(coldstart: Coldstart, pipeline: Pipeline) -> str:
    if not coldstart.total:
        return f"coldstart {coldstart.stage}: {coldstart.problem or coldstart.request.reason}"
    now = pipeline.clock()
    left = coldstart.time_left(now)
    return (
        f"coldstart {coldstart.stage}: {coldstart.done} of {coldstart.total} schedules "
        f"({coldstart.done / coldstart.total:.0%}), {coldstart.published} published, {coldstart.failed} failed, "
        f"{coldstart.rate(now):.0f} a second, {0 if left is None else left.total_seconds():.0f} s left"
    )
