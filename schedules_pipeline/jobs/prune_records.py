"""The job that keeps Dagster's own records bounded, and its timer."""

import dagster as dg

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.jobs.building import single_op_job, timer
from schedules_pipeline.pruning import RecordPruner
from schedules_pipeline.settings import Settings

JOB_NAME = "prune_records"


def prune_records_job(settings: Settings) -> dg.JobDefinition:
    @dg.op(
        name="prune", description="Deletes old finished runs and keeps the latest record of each schedule."
    )
    def prune(context: dg.OpExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> None:
        pruned = RecordPruner(pipeline, settings, context.instance, context.log_event).prune()
        context.log.info(", ".join(f"{name}: {count:,}" for name, count in pruned.items()))
        context.add_output_metadata(pruned)

    return single_op_job(prune, JOB_NAME, "Deletes Dagster's records of old runs. Runs daily.")


def prune_records_timer() -> dg.ScheduleDefinition:
    """At night, because a large deletion on SQLite delays the publisher's records."""
    return timer(
        "prune_records_timer", "10 3 * * *", "Prunes Dagster's own records once a day.", job_name=JOB_NAME
    )
