"""Keeps Dagster's own records bounded: old runs go, and what they said last of a schedule stays.

Deleting a run deletes its materialisations, so a partition that was last published by an old run would look
as if it had never been there. So the latest materialisation of each such partition is recorded once more
first, in the run that prunes, which is a run like any other: it grows old and is pruned in turn, its records
carried forward again. Evaluations of checks outlive their run, and of those the latest stay.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import dagster as dg

from schedules_pipeline.assets import names
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.dagster_storage import (
    delete_old_evaluations,
    delete_old_tick_logs,
    delete_orphaned_tags,
    delete_run,
    is_latest,
    latest_materialisations,
)
from schedules_pipeline.errors import InvalidIdentifier
from schedules_pipeline.maintenance.ports.passes import PassName, PassReport
from schedules_pipeline.partitions import is_partitioned, partition_key, schedule_key
from schedules_pipeline.settings import Settings

CARRIED_ASSETS = (
    names.SOURCE_SCHEDULE,
    names.BACK_REFERENCE_INDEX,
    names.PARTNER_SCHEDULE,
    names.CATALOGUE_EPISODES,
    names.CATALOGUE_SERIES,
    names.CATALOGUE_BRANDS,
    names.PARITY_REPORT,
)
_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
_SYSTEM_TAGS = "dagster/"


@dataclass(slots=True)
class PruneCounts:
    """What one pass did."""

    runs_deleted: int = 0
    records_carried: int = 0
    records_let_go: int = 0
    evaluations_deleted: int = 0
    tick_logs_deleted: int = 0

    def counts(self) -> dict[str, int]:
        return {
            "runs deleted": self.runs_deleted,
            "records carried": self.records_carried,
            "records let go": self.records_let_go,
            "evaluations deleted": self.evaluations_deleted,
            "tick logs deleted": self.tick_logs_deleted,
        }


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished run, as far as pruning wants to know it."""

    run_id: str
    job: str
    ended_at: float
    created_at: float


def plan_pruning(runs: Iterable[Finished], before: datetime) -> list[str]:
    """Which of all finished runs go: those that ended before then, but for the latest of each job. Pure.

    The oldest first, so that a pass that is stopped has done the most urgent part.
    """
    ordered = sorted(runs, key=lambda run: (run.created_at, run.run_id))
    latest = {run.job: run.run_id for run in ordered}
    return [r.run_id for r in ordered if r.ended_at < before.timestamp() and latest[r.job] != r.run_id]


class RecordPruner:
    """Prunes one instance, from within a run: ``log_event`` writes into that run."""

    def __init__(
        self,
        pipeline: Pipeline,
        settings: Settings,
        instance: dg.DagsterInstance,
        log_event: Callable[[dg.AssetMaterialization], None],
    ) -> None:
        self._pipeline = pipeline
        self._settings = settings
        self._instance = instance
        self._log_event = log_event

    def prune(self) -> PruneCounts:
        """One pass, noted as such, also where it fails. Stopped at any point it has lost nothing."""
        pruned, began_at = PruneCounts(), self._pipeline.clock()
        problem = ""
        try:
            self._prune(pruned, began_at - timedelta(days=self._settings.dagster_runs_kept_days))
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"[:500]
            raise
        finally:
            self._pipeline.store.passes.record(
                PassReport(
                    PassName.RETENTION, began_at, self._pipeline.clock(), pruned.counts(), problem=problem
                )
            )
        return pruned

    def _prune(self, pruned: PruneCounts, before: datetime) -> None:
        doomed = plan_pruning(self._finished_runs(), before)
        heads = self._pipeline.store.feed.heads()
        shown = {
            str(partition_key(key))
            for key, change in heads.items()
            if not change.is_removal and is_partitioned(key.date, self._pipeline.clock(), self._settings)
        }
        if doomed:
            self._carry_forward(pruned, frozenset(doomed), shown)
        for run_id in doomed:
            delete_run(self._instance, run_id)
            pruned.runs_deleted += 1
        pruned.evaluations_deleted = delete_old_evaluations(
            self._instance, before, self._unfinished_runs(), shown.__contains__
        )
        delete_orphaned_tags(self._instance)
        pruned.tick_logs_deleted = delete_old_tick_logs(self._instance, before)

    def _carry_forward(self, pruned: PruneCounts, doomed: frozenset[str], shown: set[str]) -> None:
        """Record once more what a doomed run said last of something that is still there."""
        for asset in CARRIED_ASSETS:
            for record in latest_materialisations(self._instance, asset):
                if record.run_id not in doomed:
                    continue
                if record.partition_key is not None and record.partition_key not in shown:
                    pruned.records_let_go += 1
                    continue
                # A publisher goes on meanwhile, and an older record must not hide what it has just said.
                if is_latest(self._instance, asset, record):
                    self._log_event(carried(record))
                    pruned.records_carried += 1

    def _finished_runs(self) -> list[Finished]:
        records = self._instance.get_run_records(dg.RunsFilter(statuses=_FINISHED))
        return [
            Finished(
                record.dagster_run.run_id,
                record.dagster_run.job_name,
                record.end_time or record.update_timestamp.timestamp(),
                record.create_timestamp.timestamp(),
            )
            for record in records
        ]

    def _unfinished_runs(self) -> list[str]:
        unfinished = [status for status in dg.DagsterRunStatus if status not in _FINISHED]
        records = self._instance.get_run_records(dg.RunsFilter(statuses=unfinished))
        return [record.dagster_run.run_id for record in records]


def carried(record: dg.EventLogRecord) -> dg.AssetMaterialization:
    """The same materialisation, with a word on when and by which run it was recorded first. Pure."""
    was = record.asset_materialization
    if was is None:
        raise ValueError(f"event {record.storage_id} is no materialisation")
    first: Mapping[str, dg.MetadataValue] = {
        "first_recorded_at": dg.MetadataValue.timestamp(record.timestamp),
        "first_recorded_by": dg.MetadataValue.text(record.run_id),
    }
    return dg.AssetMaterialization(
        was.asset_key,
        description=was.description,
        metadata={**first, **was.metadata},
        partition=_partition(record.partition_key),
        tags={name: value for name, value in (was.tags or {}).items() if not name.startswith(_SYSTEM_TAGS)},
    )


def _partition(text: str | None) -> str | None:
    """With its dimensions, where it is a schedule's: Dagster reads them from the key's class."""
    if text is None:
        return None
    try:
        return partition_key(schedule_key(text))
    except InvalidIdentifier:
        return text
