"""The nightly garbage collection, and its timer."""

import dagster as dg

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.jobs.building import single_op_job, timer
from schedules_pipeline.logs import log_pass
from schedules_pipeline.partitions import known_services, remove_services
from schedules_pipeline.settings import Settings

JOB_NAME = "collect_garbage"


def collect_garbage_job() -> dg.JobDefinition:
    """Safe at any time, also while publishers run."""

    @dg.op(name="collect", description="Removes schedules past the horizon and data that nothing refers to.")
    def collect(context: dg.OpExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> None:
        report = pipeline.collector.collect(context.log.info)
        removed = _remove_unused_services(context.instance, pipeline)
        context.log.info(f"removed the partitions of {removed} services")
        context.add_output_metadata({**report.counts, "services": removed, "seconds": report.seconds})
        log_pass(report)

    description = "Collects garbage: schedules past the horizon, unused copies, index entries, old records."
    return single_op_job(collect, JOB_NAME, description)


def collect_garbage_timer(settings: Settings) -> dg.ScheduleDefinition:
    """At night, when the fewest changes come."""
    return timer(
        "collect_garbage_timer",
        "15 4 * * *",
        "Collects garbage once a night.",
        settings.time_zone,
        job_name=JOB_NAME,
    )


def _remove_unused_services(instance: dg.DagsterInstance, pipeline: Pipeline) -> int:
    """Remove the partitions of services without schedules.

    The known services are read first, so that a service that appears during the check keeps its partitions. A removed
    service gets them back with its next recorded version.
    """
    known = known_services(instance)
    unused = sorted(known - set(map(str, pipeline.collector.services_in_use())))
    remove_services(instance, unused)
    return len(unused)
