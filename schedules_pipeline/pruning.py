"""Keeps Dagster's own records bounded: deletes old runs, and keeps the latest record of each schedule.

Deleting a run deletes its materialisations, so a partition that an old run published last would look as if it had
never been published. Therefore the pruning run first records the latest materialisation of each such partition again.
Its own records are carried forward in the same way when it is pruned. Check evaluations outlive their runs; the latest
of each check and partition is kept.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

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
from schedules_pipeline.maintenance.ports import PassName
from schedules_pipeline.maintenance.record_pass import recorded_pass
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


class PruneCount(StrEnum):
    """What a pass counts."""

    RUNS_DELETED = "runs deleted"
    RECORDS_CARRIED = "records carried"
    RECORDS_DROPPED = "records let go"
    EVALUATIONS_DELETED = "evaluations deleted"
    TICK_LOGS_DELETED = "tick logs deleted"


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A finished run. Times are seconds since 1970."""

    run_id: str
    job: str
    ended_at: float
    created_at: float


def plan_pruning(runs: Iterable[FinishedRun], before: datetime) -> list[str]:
    """The ids of the runs to delete, oldest first: those that ended before ``before``, except each job's latest."""
    ordered = sorted(runs, key=lambda run: (run.created_at, run.run_id))
    latest = {run.job: run.run_id for run in ordered}
    return [r.run_id for r in ordered if r.ended_at < before.timestamp() and latest[r.job] != r.run_id]


@dataclass(frozen=True, slots=True)
class RecordPruner:
    """Prunes one instance from within a run. ``log_event`` writes into that run."""

    pipeline: Pipeline
    settings: Settings
    instance: dg.DagsterInstance
    log_event: Callable[[dg.AssetMaterialization], None]

    def prune(self) -> dict[str, int]:
        """One pass; a failed one is recorded too. A pass that is stopped at any point loses no record."""
        counts, clock = dict.fromkeys(map(str, PruneCount), 0), self.pipeline.clock
        with recorded_pass(PassName.RETENTION, self.pipeline.store.passes, clock) as record:
            for name, amount in self._steps(clock() - timedelta(days=self.settings.dagster_runs_kept_days)):
                counts[name] += amount
            record(counts)
        return counts

    def _steps(self, before: datetime) -> Iterator[tuple[PruneCount, int]]:
        old_runs = plan_pruning(self._finished_runs(), before)
        published = self._published_partitions()
        if old_runs:
            yield from self._carry_forward(frozenset(old_runs), published)
        for run_id in old_runs:
            delete_run(self.instance, run_id)
            yield PruneCount.RUNS_DELETED, 1
        records = self._records(set(dg.DagsterRunStatus) - set(_FINISHED))
        unfinished = [record.dagster_run.run_id for record in records]
        deleted = delete_old_evaluations(self.instance, before, unfinished, published.__contains__)
        yield PruneCount.EVALUATIONS_DELETED, deleted
        delete_orphaned_tags(self.instance)
        yield PruneCount.TICK_LOGS_DELETED, delete_old_tick_logs(self.instance, before)

    def _published_partitions(self) -> set[str]:
        heads, now = self.pipeline.store.feed.heads(), self.pipeline.clock()
        return {
            str(partition_key(key))
            for key, change in heads.items()
            if not change.is_removal and is_partitioned(key.date, now, self.settings)
        }

    def _carry_forward(
        self, old_runs: frozenset[str], published: set[str]
    ) -> Iterator[tuple[PruneCount, int]]:
        """Record the latest materialisations of old runs again, unless their schedule is no longer published."""
        for asset in CARRIED_ASSETS:
            for record in latest_materialisations(self.instance, asset):
                if record.run_id not in old_runs:
                    continue
                if record.partition_key is not None and record.partition_key not in published:
                    yield PruneCount.RECORDS_DROPPED, 1
                # Asked again, because a publisher may have recorded a newer version since.
                elif is_latest(self.instance, asset, record):
                    self.log_event(carried(record))
                    yield PruneCount.RECORDS_CARRIED, 1

    def _finished_runs(self) -> list[FinishedRun]:
        return [
            FinishedRun(
                record.dagster_run.run_id,
                record.dagster_run.job_name,
                record.end_time or record.update_timestamp.timestamp(),
                record.create_timestamp.timestamp(),
            )
            for record in self._records(_FINISHED)
        ]

    def _records(self, statuses: Iterable[dg.DagsterRunStatus]) -> Iterable[dg.RunRecord]:
        return self.instance.get_run_records(dg.RunsFilter(statuses=list(statuses)))


def carried(record: dg.EventLogRecord) -> dg.AssetMaterialization:
    """The same materialisation, with the time and the run of its first recording."""
    was = record.asset_materialization
    if was is None:
        raise ValueError(f"event {record.storage_id} is not a materialisation")
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
    """A schedule's key gets its class back, from which Dagster reads the dimensions."""
    if text is None:
        return None
    try:
        return partition_key(schedule_key(text))
    except InvalidIdentifier:
        return text
