"""Rebuilds named schedules from their sources.

The publisher records what it published as finished runs of this job, one for each batch. To re-execute such a run
rebuilds exactly its schedules.
"""

from collections.abc import Mapping, Sequence

import dagster as dg

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import InvalidIdentifier
from schedules_pipeline.jobs.building import single_op_job
from schedules_pipeline.publishing.ports.schedules import Outcome
from schedules_pipeline.run_by_hand import own_recorder, rebuild_and_record
from schedules_pipeline.settings import Settings

JOB_NAME = "rebuild_schedules"
_OP = "rebuild"


class RebuildConfig(dg.Config):
    """``schedules``: their keys, ``<sid>/<date>``."""

    schedules: list[str]


def rebuild_config(keys: Sequence[ScheduleKey]) -> Mapping[str, object]:
    """The run config that rebuilds these schedules."""
    return {"ops": {_OP: {"config": {"schedules": [str(key) for key in keys]}}}}


def rebuild_schedules_job(settings: Settings) -> dg.JobDefinition:
    """The run fails if a schedule could not be fetched, or if a name is not a schedule key."""

    @dg.op(name=_OP, description="Rebuilds the named schedules from their sources and records the result.")
    def rebuild(
        context: dg.OpExecutionContext, config: RebuildConfig, pipeline: dg.ResourceParam[Pipeline]
    ) -> None:
        keys = _parse(config.schedules)
        built, _ = rebuild_and_record(context, pipeline, own_recorder(context, pipeline, settings), keys)
        context.add_output_metadata({"schedules": len(keys), "published": built.count(Outcome.PUBLISHED)})

    description = (
        "Rebuilds the schedules that its config names. The publisher records each batch of changes as a run of this "
        "job; re-executing that run rebuilds the same schedules."
    )
    return single_op_job(rebuild, JOB_NAME, description)


def _parse(names: Sequence[str]) -> list[ScheduleKey]:
    try:
        return [ScheduleKey.parse(name) for name in names]
    except InvalidIdentifier as error:
        raise dg.Failure(f"{error}; expected <sid>/<date>, for example alder_one/2026-03-28") from error
