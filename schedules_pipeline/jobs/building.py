"""What the definitions of all jobs and timers share."""

from typing import Any

import dagster as dg


def single_op_job(op: dg.OpDefinition, name: str, description: str, **options: Any) -> dg.JobDefinition:
    """A job of one op, which runs in the process of the run. ``options`` as for :func:`dagster.job`."""
    graph = dg.GraphDefinition(name, node_defs=[op])
    return graph.to_job(description=description, executor_def=dg.in_process_executor, **options)


def timer(name: str, cron: str, description: str, zone: str = "UTC", **target: Any) -> dg.ScheduleDefinition:
    """A Dagster schedule that is on by default. ``target``: ``job_name``, or ``target`` for assets."""
    return dg.ScheduleDefinition(
        name=name,
        cron_schedule=cron,
        description=description,
        execution_timezone=zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        **target,
    )
