"""The collection as a job: what nobody needs any more goes, once a night."""

import dagster as dg

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.logs import log_pass
from schedules_pipeline.partitions import known_services, remove_services
from schedules_pipeline.settings import Settings

JOB_NAME = "collect_garbage"


def collect_garbage_job() -> dg.JobDefinition:
    """Safe at any time, also while publishers run."""

    @dg.op(name="collect", description="Collect schedules past the horizon, and what nothing depends on.")
    def collect(context: dg.OpExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> None:
        report = pipeline.collector.collect(context.log.info)
        removed = _remove_unused_services(context.instance, pipeline)
        context.log.info(f"{removed} services have no partitions any more")
        context.add_output_metadata({**report.counts, "services": removed, "seconds": report.seconds})
        log_pass(report)

    @dg.job(
        name=JOB_NAME,
        description="Collects garbage: schedules past the horizon, unused copies, index entries, old records.",
        executor_def=dg.in_process_executor,
    )
    def collect_garbage() -> None:
        collect()

    return collect_garbage


def collect_garbage_timer(settings: Settings) -> dg.ScheduleDefinition:
    """Once a night, when the fewest changes come."""
    return dg.ScheduleDefinition(
        name="collect_garbage_timer",
        job_name=JOB_NAME,
        cron_schedule="15 4 * * *",
        execution_timezone=settings.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="The collection, once a night.",
    )


def _remove_unused_services(instance: dg.DagsterInstance, pipeline: Pipeline) -> int:
    """Of those that Dagster knew before we looked what is used, so that a service that comes meanwhile stays.

    One that comes back in that moment gets its partitions with the next version that is recorded of it.
    """
    known = known_services(instance)
    unused = sorted(known - set(map(str, pipeline.collector.services_in_use())))
    remove_services(instance, unused)
    return len(unused)
