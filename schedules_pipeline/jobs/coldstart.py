"""The coldstart as a job: everything is rebuilt from the sources, in a few large runs.

Launch a backfill over the shards of this job, or ask for a coldstart on the command line, whereupon the sensor
``coldstart_control`` launches the runs. A run begins with its own shard, goes on wherever something is left, and
ends with the coldstart; so those that live finish the work of one that died.
"""

from collections.abc import Callable

import dagster as dg
import structlog

from schedules_pipeline.assets.catalogue import ASSET_OF_KIND
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.maintenance.ports.coldstart import Coldstart, Stage
from schedules_pipeline.partitions import coldstart_shards, shard_number
from schedules_pipeline.recording import Recorder
from schedules_pipeline.settings import Settings

JOB_NAME = "coldstart"
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
ID_TAG = "schedules/coldstart"
_BACKFILL_TAG = "dagster/backfill"


def coldstart_job(settings: Settings) -> dg.JobDefinition:
    """The job, partitioned by its shards."""

    @dg.op(name="rebuild_all", description="Rebuild everything from its sources, beginning with one shard.")
    def rebuild_all(context: dg.OpExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> None:
        shard = shard_number(context.partition_key)
        tell = _Teller(pipeline, context.log.info)
        ended = pipeline.coldstarter.work_at(_coldstart_id(context), context.run_id, shard, tell)
        _record_published(context, pipeline, settings)
        if ended.stage is Stage.REJECTED:
            raise dg.Failure(f"the coldstart was refused: {ended.problem}")
        _record_catalogue(context)
        context.add_output_metadata(
            {"schedules": ended.total, "published": ended.published, "failed": ended.failed}
        )

    @dg.job(
        name=JOB_NAME,
        description="Rebuilds everything from the sources; launch a backfill over all of its partitions.",
        partitions_def=coldstart_shards(settings),
        executor_def=dg.in_process_executor,
    )
    def coldstart() -> None:
        rebuild_all()

    return coldstart


def _coldstart_id(context: dg.OpExecutionContext) -> str:
    """Runs of one request, or of one backfill, are of one coldstart."""
    tags = context.run.tags
    return tags.get(ID_TAG) or tags.get(_BACKFILL_TAG) or context.run_id


def _record_published(context: dg.OpExecutionContext, pipeline: Pipeline, settings: Settings) -> None:
    """As far as the store answers: everything is published, and what is left a publisher records."""
    recorder = Recorder(pipeline, settings, context.instance, context.log_event, context.run_id)
    try:
        recorder.record_all_published()
    except ServiceError as error:
        context.log.warning(f"a publisher records the rest: {error}")


def _record_catalogue(context: dg.OpExecutionContext) -> None:
    """Every copy that a schedule uses was compared with its source on the way."""
    for key in ASSET_OF_KIND.values():
        context.log_event(dg.AssetMaterialization(key, description="compared with the source by a coldstart"))


class _Teller:
    """Writes how it stands into the log, where that has changed."""

    def __init__(self, pipeline: Pipeline, log: Callable[[str], None]) -> None:
        self._pipeline = pipeline
        self._log = log
        self._told = ""

    def __call__(self, coldstart: Coldstart) -> None:
        line = describe(coldstart, self._pipeline)
        if line != self._told:
            self._told = line
            self._log(line)
            _log.info("coldstart", coldstart=coldstart.id, stage=coldstart.stage, left=coldstart.left)


def describe(coldstart: Coldstart, pipeline: Pipeline) -> str:
    """One line for operators: how far it is, how fast, and how long it will take."""
    if not coldstart.total:
        return f"coldstart {coldstart.stage}: {coldstart.problem or coldstart.request.reason}"
    now = pipeline.clock()
    left = coldstart.time_left(now)
    return (
        f"coldstart {coldstart.stage}: {coldstart.done} of {coldstart.total} schedules "
        f"({coldstart.done / coldstart.total:.0%}), {coldstart.published} published, {coldstart.failed} failed, "
        f"{coldstart.rate(now):.0f} a second, {0 if left is None else left.total_seconds():.0f} s left"
    )
