"""A Dagster instance on disk whose records are old enough to be pruned."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import dagster as dg
from builders import a_change
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord
from fakes import FakeClock, FakeStore, fake_store, fake_upstreams, pipeline_over
from sqlalchemy import event
from sqlalchemy.engine import Engine

from schedules_pipeline.assets import names
from schedules_pipeline.documents.change_row import render_row
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.event_batches import BatchRunWriter, OwnRunWriter
from schedules_pipeline.jobs.rebuild_schedules import rebuild_config, rebuild_schedules_job
from schedules_pipeline.partitions import SCHEDULE_PARTITIONS, ensure_partitions, partition_key
from schedules_pipeline.pruning import RecordPruner
from schedules_pipeline.settings import Settings

_DAYS = [date(2026, 3, day) for day in (26, 27, 28)]
KEYS = [ScheduleKey(Sid("alder_one"), day) for day in _DAYS]
CHECK = dg.AssetCheckKey(names.PARTNER_SCHEDULE, "is_built")
_LATER = timedelta(days=8)

Op = Callable[[dg.OpExecutionContext], None]


class Stage:
    """An instance on disk with three published schedules. Its clock is eight days ahead, so that every run is older
    than the seven days of retention.
    """

    def __init__(self, instance: dg.DagsterInstance, directory: Path) -> None:
        self.instance, self.directory = instance, directory
        self.settings = Settings(dagster_runs_kept_days=7)
        self.clock = FakeClock(datetime.now(UTC) + _LATER)
        self.store: FakeStore = fake_store(self.clock)
        upstreams = fake_upstreams(self.clock, Random(0))
        self.pipeline = pipeline_over(self.store.as_store(), upstreams, self.clock)
        ensure_partitions(instance, KEYS)
        for key in KEYS:
            self.publish(key, seq=1)

    def publish(self, key: ScheduleKey, seq: int, etag: str = "e") -> None:
        """The feed's latest row of a schedule; an empty ``etag`` removes it."""
        change = a_change(key, seq, etag=etag, published_at=self.clock())
        self.store.feed.append([(key, seq, render_row(change))])

    def run(self, op: Op, job: str = "publish_affected") -> str:
        """Run an op as a job of that name. Returns the id of the run."""

        @dg.op(name="publish")
        def publish(context: dg.OpExecutionContext) -> None:
            op(context)

        @dg.job(name=job, executor_def=dg.in_process_executor)
        def made() -> None:
            publish()

        return made.execute_in_process(instance=self.instance, raise_on_error=False).run_id

    def record(self, *keys: ScheduleKey, passed: bool = True) -> str:
        """A run that records a version of these schedules and evaluates a check of each."""

        def op(context: dg.OpExecutionContext) -> None:
            for key in keys:
                partition = partition_key(key)
                metadata: dict[str, Any] = {"seq": 1, "cause": "a put"}
                context.log_event(
                    dg.AssetMaterialization(names.PARTNER_SCHEDULE, partition=partition, metadata=metadata)
                )
                log_event: Callable[..., None] = context.log_event
                log_event(
                    dg.AssetCheckEvaluation(
                        asset_key=CHECK.asset_key,
                        check_name=CHECK.name,
                        passed=passed,
                        partition=partition,
                    )
                )

        return self.run(op)

    def writer(self) -> BatchRunWriter:
        """Writes each batch as a run of its own, as a publisher does."""
        publisher = dg.DagsterRun(job_name="publish_affected", run_id=dg._core.utils.make_new_run_id())
        job = rebuild_schedules_job(self.settings)
        return BatchRunWriter(self.instance, job, rebuild_config, publisher, lambda: datetime.now(UTC))

    def history(self) -> list[AssetCheckExecutionRecord]:
        """Every evaluation of the check, latest first."""
        return list(self.instance.event_log_storage.get_asset_check_execution_history(CHECK, limit=100))

    def idle(self, job: str = "publish_affected") -> str:
        """A run without records. As the latest of its job it is kept."""
        return self.run(lambda _: None, job)

    def prune(self) -> dict[str, int]:
        """A run of the pruning job."""
        found: list[dict[str, int]] = []

        def op(context: dg.OpExecutionContext) -> None:
            pruner = RecordPruner(self.pipeline, self.settings, self.instance, OwnRunWriter(context))
            found.append(pruner.prune())

        self.run(op, "prune_records")
        return found[0]

    def runs(self) -> set[str]:
        return {run.run_id for run in self.instance.get_runs()}

    def statuses(self) -> dict[str, object]:
        """Dagster's status of each partition."""
        keys = [str(partition_key(key)) for key in KEYS]
        found = self.instance.get_status_by_partition(names.PARTNER_SCHEDULE, keys, SCHEDULE_PARTITIONS)
        return dict(found or {})

    def check_passes(self) -> dict[str, bool | None]:
        """The latest evaluation of the check, by partition."""
        storage = self.instance.event_log_storage
        passes: dict[str, bool | None] = {}
        for key in KEYS:
            only = PartitionKeyFilter(key=str(partition_key(key)))
            record = storage.get_latest_asset_check_execution_by_key([CHECK], only).get(CHECK)
            passes[str(partition_key(key))] = (
                None if record is None or record.evaluation is None else record.evaluation.passed
            )
        return passes

    def latest(self, key: ScheduleKey) -> dg.EventLogRecord | None:
        """The latest materialisation of a partition."""
        wanted = dg.AssetRecordsFilter(names.PARTNER_SCHEDULE, asset_partitions=[str(partition_key(key))])
        records = self.instance.fetch_materializations(wanted, limit=1).records
        return records[0] if records else None


def _hasten(connection: sqlite3.Connection, _: object) -> None:
    """SQLite does not wait for the disk, because no test needs durability."""
    connection.execute("PRAGMA synchronous=OFF")


def limit_values(connection: sqlite3.Connection, _: object) -> None:
    """Limit statements to forty values; the default is some thousands."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 40)


@contextmanager
def on_connect(action: Callable[[sqlite3.Connection, object], None]) -> Iterator[None]:
    """Call ``action`` on every new database connection within the block."""
    event.listen(Engine, "connect", action)
    yield
    event.remove(Engine, "connect", action)


@contextmanager
def open_stage(directory: Path) -> Iterator[Stage]:
    with on_connect(_hasten), dg.DagsterInstance.local_temp(str(directory)) as instance:
        yield Stage(instance, directory)
