"""The jobs that go over all data, and every timer."""

from datetime import datetime, timedelta
from functools import partial

import dagster as dg

from schedules_pipeline.assets import names
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import state_exporter, state_exports
from schedules_pipeline.event_batches import OwnRunWriter
from schedules_pipeline.jobs.building import single_op_job, timer
from schedules_pipeline.logs import log_pass
from schedules_pipeline.maintenance.reconcile import Share
from schedules_pipeline.partitions import prune_partitions
from schedules_pipeline.pruning import RecordPruner
from schedules_pipeline.publishing.ports.feed import published_keys
from schedules_pipeline.settings import Settings

RECONCILE, COLLECT, PRUNE = "reconcile", "collect_garbage", "prune_records"
EXPORT_STATE = "export_state"


def timers(settings: Settings) -> list[dg.ScheduleDefinition]:
    """Every timer of the code location. What it starts may also be started by hand.

    The collection runs at night by the broadcaster's clock, when the fewest changes come. Pruning runs at night too,
    because a large deletion on SQLite delays the publisher's records. Expected ranges are learned after the
    broadcast day, and outliers are reported when the week's days are learned.
    """
    zone, morning = settings.time_zone, "Learns the expected ranges of each service every morning."
    parity, expectations, outliers = map(
        dg.AssetSelection.assets, (names.PARITY_REPORT, names.SERVICE_EXPECTATIONS, names.OUTLIER_REPORT)
    )
    hourly = "Reconciles a share of all schedules every hour."
    daily = "Prunes Dagster's own records once a day."
    nightly = "Collects garbage once a night."
    exports = "Exports the state that no source has, every hour."
    return [
        timer("parity_timer", "30 5 * * *", "Makes the parity report every morning.", target=parity),
        timer("prune_records_timer", "10 3 * * *", daily, job_name=PRUNE),
        timer("collect_garbage_timer", "15 4 * * *", nightly, zone, job_name=COLLECT),
        # At a minute at which no other timer starts.
        timer("reconcile_timer", "37 * * * *", hourly, job_name=RECONCILE),
        timer("expectations_timer", "45 6 * * *", morning, zone, target=expectations),
        timer("outliers_timer", "15 7 * * 1", "Reports last week's outliers.", zone, target=outliers),
        *(
            [timer("export_state_timer", "22 * * * *", exports, job_name=EXPORT_STATE)]
            if settings.state_export_bucket
            else []
        ),
    ]


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
    return single_op_job(reconcile_share, RECONCILE, description)


def _share(config: ReconcileConfig, now: datetime, shares: int) -> Share:
    if not config.of:
        return share_of_hour(now, shares)
    if not 1 <= config.number <= config.of:
        raise dg.Failure(f"there is no share {config.number} of {config.of}: number is from 1 to of")
    return Share(config.number, config.of)


def collect_garbage_job() -> dg.JobDefinition:
    """Safe at any time, also while publishers run."""

    @dg.op(name="collect", description="Removes schedules past the horizon and data that nothing refers to.")
    def collect(context: dg.OpExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> None:
        report = pipeline.collector.collect(context.log.info)
        published = partial(published_keys, pipeline.store.feed)
        removed = prune_partitions(context.instance, pipeline.collector.schedules_in_use, published)
        context.log.info(f"{removed} dates and services without schedules have no partitions any more")
        context.add_output_metadata(
            {**report.counts, "dates and services": removed, "seconds": report.seconds}
        )
        log_pass(report)

    description = "Collects garbage: schedules past the horizon, unused copies, index entries, old records."
    return single_op_job(collect, COLLECT, description)


def prune_records_job(settings: Settings) -> dg.JobDefinition:
    @dg.op(
        name="prune", description="Deletes old finished runs and keeps the latest record of each schedule."
    )
    def prune(context: dg.OpExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> None:
        pruned = RecordPruner(pipeline, settings, context.instance, OwnRunWriter(context)).prune()
        context.log.info(", ".join(f"{name}: {count:,}" for name, count in pruned.items()))
        context.add_output_metadata(pruned)

    return single_op_job(prune, PRUNE, "Deletes Dagster's records of old runs. Runs daily.")


def export_state_job(settings: Settings) -> dg.JobDefinition:
    @dg.op(name="export", description="Writes an export of the state to the bucket, and removes old ones.")
    def export(context: dg.OpExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> None:
        if settings.state_export_bucket is None:
            raise dg.Failure("no target is configured: set SCHEDULES_STATE_EXPORT_BUCKET")
        files = state_exports(settings, settings.state_export_bucket, settings.state_export_prefix)
        report = state_exporter(settings, pipeline).export_to(files)
        context.add_output_metadata({**report.counts, "seconds": report.seconds})
        log_pass(report)

    return single_op_job(export, EXPORT_STATE, "Exports the state that no source has. Runs every hour.")
