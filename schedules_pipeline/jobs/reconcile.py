"""The reconciliation of stored data with the sources: one share every hour, or everything on demand."""

from datetime import datetime, timedelta

import dagster as dg

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.jobs.building import single_op_job, timer
from schedules_pipeline.logs import log_pass
from schedules_pipeline.maintenance.reconcile import Share
from schedules_pipeline.settings import Settings

JOB_NAME = "reconcile"


class ReconcileConfig(dg.Config):
    """The share to reconcile: ``number`` of ``of``, from 1. ``of: 1`` is everything; ``of: 0`` is this hour's share."""

    number: int = 1
    of: int = 0


def share_of_hour(now: datetime, shares: int) -> Share:
    """The share that is due in this hour; each is due once in ``shares`` hours."""
    hours = int(now.timestamp() // timedelta(hours=1).total_seconds())
    return Share(hours % shares + 1, shares)


def reconcile_job(settings: Settings) -> dg.JobDefinition:
    """The run fails if a difference could not be repaired."""

    @dg.op(
        name="reconcile_share",
        description="Compares a share of all schedules with their sources and repairs it.",
    )
    def reconcile_share(
        context: dg.OpExecutionContext, config: ReconcileConfig, pipeline: dg.ResourceParam[Pipeline]
    ) -> None:
        if pipeline.store.coldstarts.intake_is_paused():
            context.log.info("skipped: a coldstart is rebuilding everything from the sources")
            return
        share = _share(config, pipeline.clock(), settings.reconcile_shares)
        context.log.info(f"share {share.number} of {share.of}")
        report = pipeline.reconciler.reconcile(share, context.log.info)
        context.add_output_metadata({**report.counts, "seconds": report.seconds})
        log_pass(report)
        if report.problem:
            raise dg.Failure(report.problem)

    description = (
        "Compares a share of what is stored with the sources and repairs it. With of: 1, everything."
    )
    return single_op_job(reconcile_share, JOB_NAME, description)


def reconcile_timer() -> dg.ScheduleDefinition:
    """At a minute at which no other timer starts."""
    return timer(
        "reconcile_timer", "37 * * * *", "Reconciles a share of all schedules every hour.", job_name=JOB_NAME
    )


def _share(config: ReconcileConfig, now: datetime, shares: int) -> Share:
    if not config.of:
        return share_of_hour(now, shares)
    if not 1 <= config.number <= config.of:
        raise dg.Failure(f"there is no share {config.number} of {config.of}: number is from 1 to of")
    return Share(config.number, config.of)
