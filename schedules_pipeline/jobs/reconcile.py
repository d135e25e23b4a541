"""The reconcile as a job: what is stored is compared with the sources, a share every hour, or all on demand."""

from datetime import datetime, timedelta

import dagster as dg

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.logs import log_pass
from schedules_pipeline.maintenance.reconcile import Share
from schedules_pipeline.settings import Settings

JOB_NAME = "reconcile"


class ReconcileConfig(dg.Config):
    """Which share to reconcile: ``number`` of ``of``, from 1. ``of: 1`` is everything; 0 leaves it to the hour."""

    number: int = 1
    of: int = 0


def share_of_hour(now: datetime, shares: int) -> Share:
    """One after the other, hour by hour; all have had their turn after so many hours."""
    hours = int(now.timestamp() // timedelta(hours=1).total_seconds())
    return Share(hours % shares + 1, shares)


def reconcile_job(settings: Settings) -> dg.JobDefinition:
    """Fails where something could not be mended."""

    @dg.op(name="reconcile_share", description="Compare a share of all schedules with their sources; repair.")
    def reconcile_share(
        context: dg.OpExecutionContext, config: ReconcileConfig, pipeline: dg.ResourceParam[Pipeline]
    ) -> None:
        if pipeline.store.coldstarts.intake_is_paused():
            context.log.info("not now: a coldstart rebuilds everything from the sources")
            return
        share = _share(config, pipeline.clock(), settings.reconcile_shares)
        context.log.info(f"share {share.number} of {share.of}")
        report = pipeline.reconciler.reconcile(share, context.log.info)
        context.add_output_metadata({**report.counts, "seconds": report.seconds})
        log_pass(report)
        if report.problem:
            raise dg.Failure(report.problem)

    @dg.job(
        name=JOB_NAME,
        description="Compares what is stored with the sources and repairs it; with of: 1, everything.",
        executor_def=dg.in_process_executor,
    )
    def reconcile() -> None:
        reconcile_share()

    return reconcile


def reconcile_timer() -> dg.ScheduleDefinition:
    """A share every hour, at a minute at which little else begins."""
    return dg.ScheduleDefinition(
        name="reconcile_timer",
        job_name=JOB_NAME,
        cron_schedule="37 * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="A share of all schedules is reconciled, every hour.",
    )


def _share(config: ReconcileConfig, now: datetime, shares: int) -> Share:
    if not config.of:
        return share_of_hour(now, shares)
    if not 1 <= config.number <= config.of:
        raise dg.Failure(f"there is no share {config.number} of {config.of}: number is from 1 to of")
    return Share(config.number, config.of)
