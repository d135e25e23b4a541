"""The job that keeps Dagster's own records bounded, and its timer."""

import dagster as dg

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.pruning import RecordPruner
from schedules_pipeline.settings import Settings

JOB_NAME = "prune_records"


def prune_records_job(settings: Settings) -> dg.JobDefinition:
    """A run of this job deletes old runs, and carries forward what they said last."""

    @dg.op(name="prune", description="Delete old finished runs; what they said last of a schedule is kept.")
    def prune(context: dg.OpExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> None:
        pruned = RecordPruner(pipeline, settings, context.instance, context.log_event).prune()
        context.log.info(", ".join(f"{name}: {count:,}" for name, count in pruned.counts().items()))
        context.add_output_metadata(pruned.counts())

    @dg.job(
        name=JOB_NAME,
        description="Deletes Dagster's records of old runs; daily, by prune_records_timer.",
        executor_def=dg.in_process_executor,
    )
    def prune_records() -> None:
        prune()

    return prune_records


def prune_records_timer() -> dg.ScheduleDefinition:
    """At an hour when little is published: on SQLite a large deletion holds up who wants to record."""
    return dg.ScheduleDefinition(
        name="prune_records_timer",
        job_name=JOB_NAME,
        cron_schedule="10 3 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Prunes Dagster's own records, once a day.",
    )
