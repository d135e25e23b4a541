"""Keeps Dagster's own records bounded: deletes old runs, and keeps the latest record of each schedule.

Deleting a run deletes its materialisations, so a partition that an old run published last would look as if it had
never been published. Therefore the pruning run first records the latest materialisation of each such partition again.
Its own records are carried forward in the same way when it is pruned. Check evaluations outlive their runs; the latest
of each check and partition is kept.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
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
    delete_written_runs,
    latest_materialisations,
    move_evaluations,
    still_latest,
)
from schedules_pipeline.errors import InvalidIdentifier
from schedules_pipeline.event_batches import EventBatch, EventWriter
from schedules_pipeline.maintenance.ports import PassName
from schedules_pipeline.maintenance.record_pass import recorded_pass
from schedules_pipeline.partitions import partition_key, schedule_key
from schedules_pipeline.publishing.ports.feed import published_keys
from schedules_pipeline.run_tags import is_written
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
_AT_ONCE = 500


class PruneCount(StrEnum):
    """What a pass counts."""

    RUNS_DELETED = "runs deleted"
    RECORDS_CARRIED = "records carried"
    RECORDS_DROPPED = "records let go"
    EVALUATIONS_DELETED = "evaluations deleted"
    TICK_LOGS_DELETED = "tick logs deleted"


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A finished run. Times are seconds since 1970. ``is_written``: a publisher wrote it, and it was never launched."""

    run_id: str
    job: str
    ended_at: float
    created_at: float
    is_written: bool = False


def plan_pruning(runs: Iterable[FinishedRun], before: datetime) -> list[FinishedRun]:
    """The runs to delete, oldest first: those that ended before ``before``, except each job's latest."""
    ordered = sorted(runs, key=lambda run: (run.created_at, run.run_id))
    latest = {run.job: run.run_id for run in ordered}
    return [r for r in ordered if r.ended_at < before.timestamp() and latest[r.job] != r.run_id]


@dataclass(frozen=True, slots=True)
class RecordPruner:
    """Prunes one instance from within a run. ``writer`` writes into that run."""

    pipeline: Pipeline
    settings: Settings
    instance: dg.DagsterInstance
    writer: EventWriter

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
            yield from self._carry_forward({run.run_id for run in old_runs}, published)
        delete_written_runs(self.instance, [run.run_id for run in old_runs if run.is_written])
        for run in old_runs:
            if not run.is_written:
                delete_run(self.instance, run.run_id)
        yield PruneCount.RUNS_DELETED, len(old_runs)
        records = self._records(set(dg.DagsterRunStatus) - set(_FINISHED))
        unfinished = [record.dagster_run.run_id for record in records]
        deleted = delete_old_evaluations(self.instance, before, unfinished, published.__contains__)
        yield PruneCount.EVALUATIONS_DELETED, deleted
        delete_orphaned_tags(self.instance)
        yield PruneCount.TICK_LOGS_DELETED, delete_old_tick_logs(self.instance, before)

    def _published_partitions(self) -> set[str]:
        return {str(partition_key(key)) for key in published_keys(self.pipeline.store.feed)}

    def _carry_forward(
        self, old_runs: AbstractSet[str], published: set[str]
    ) -> Iterator[tuple[PruneCount, int]]:
        """Record the latest materialisations of old runs again, unless their schedule is no longer published."""
        for asset in CARRIED_ASSETS:
            old = [r for r in latest_materialisations(self.instance, asset) if r.run_id in old_runs]
            needed = [r for r in old if r.partition_key is None or r.partition_key in published]
            yield PruneCount.RECORDS_DROPPED, len(old) - len(needed)
            for start in range(0, len(needed), _AT_ONCE):
                # Asked again, because a publisher may have recorded a newer version since.
                latest = still_latest(self.instance, asset, needed[start : start + _AT_ONCE])
                self.writer.write(EventBatch("retention", [carried(record) for record in latest]))
                move_evaluations(self.instance, asset, latest)
                yield PruneCount.RECORDS_CARRIED, len(latest)

    def _finished_runs(self) -> list[FinishedRun]:
        return [
            FinishedRun(
                record.dagster_run.run_id,
                record.dagster_run.job_name,
                record.end_time or record.update_timestamp.timestamp(),
                record.create_timestamp.timestamp(),
                is_written(record.dagster_run),
            )
            for record in self._records(_FINISHED)
        ]

    def _records(self, statuses: Iterable[dg.DagsterRunStatus]) -> Iterator[dg.RunRecord]:
        """In pages, because a busy week has a hundred thousand runs."""
        wanted, cursor = dg.RunsFilter(statuses=list(statuses)), None
        while page := self.instance.get_run_records(wanted, limit=_AT_ONCE, cursor=cursor):
            yield from page
            cursor = page[-1].dagster_run.run_id


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
