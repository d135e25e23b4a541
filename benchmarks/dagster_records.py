"""Dagster's own records on each storage: size and time of a version, a publisher's memory, and what pruning keeps.

Versions are appended to the change feed and recorded from it, as the publisher does: in batches of 300, and in the
batches of three seconds of an hour with twenty versions a second, played without pauses. Every version has links. Then
the benchmark plays days: on each day versions are recorded, and the records are pruned as ``prune_records`` does.
SQLite's files never shrink, but freed pages are used again, so the question is whether the whole stays bounded. A
second instance is never pruned, for comparison.
"""

import sqlite3
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from resource import getpagesize
from typing import Any, cast

import dagster as dg
import sqlalchemy as db
import structlog
from dagster_postgres import PostgresEventLogStorage
from redis import Redis
from sqlalchemy import event
from sqlalchemy.engine import Engine

from benchmarks.engine import DocumentsInMemory, make_engine, rebuild_everything
from benchmarks.harness import Bench, Figure, Result, WrongResult, timed
from benchmarks.stack import POSTGRES, SQLITE, STORAGES, records_instance
from benchmarks.world import FIRST_DATE, source_documents, whole_sample, write_catalogue
from demo.servers import RedisServer
from schedules_pipeline.assets import names
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import utc_now
from schedules_pipeline.documents.change_row import render_row
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.event_batches import BatchRunWriter, OwnRunWriter
from schedules_pipeline.jobs.rebuild_schedules import rebuild_config, rebuild_schedules_job
from schedules_pipeline.partitions import partition_key
from schedules_pipeline.pruning import RecordPruner
from schedules_pipeline.recording import Recorder
from schedules_pipeline.settings import Settings

_DAYS_KEPT = 2
_ROUNDS = 3
_VERSIONS_A_SECOND = 20
_BATCH_SECONDS = 3
_MEGABYTE = 1_000_000
_QUIETLY = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_BYTES_GOAL = {POSTGRES: 10_000.0, SQLITE: 12_000.0}
_GROWTH_GOAL_MB = 20.0
_BOUNDED_GOAL = 1.1


@dataclass(frozen=True, slots=True)
class _Size:
    services: int
    broadcast_days: int
    played_seconds: int
    days: int


_FULL = _Size(services=25, broadcast_days=12, played_seconds=3_600, days=8)
_QUICK = _Size(services=2, broadcast_days=2, played_seconds=30, days=4)


def run(bench: Bench) -> Result:
    size = _QUICK if bench.quick else _FULL
    sample = whole_sample(FIRST_DATE, size.broadcast_days, size.services)
    documents = source_documents(sample)
    figures: list[Figure] = []
    # A line is rendered for each version, as by the publisher, and not shown.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    with RedisServer(bench.directory / "redis") as server, hasty_files():
        write_catalogue(Redis.from_url(server.url, protocol=2), sample.catalogue.values())
        pipeline = make_engine(server.url, DocumentsInMemory(documents), "schedules")
        rebuild_everything(pipeline, list(documents))
        for storage in STORAGES:
            with ExitStack() as stack:
                pruned, left = (
                    stack.enter_context(_open_records(bench.directory / storage / name, storage, pipeline))
                    for name in ("pruned", "left")
                )
                figures += _measure_versions(storage, left, list(documents))
                figures += _play_hour(bench, storage, size, left, list(documents))
                figures += _play_days(bench, storage, size.days, (pruned, left), list(documents))
    facts = {"partitions": len(documents), "days": size.days, "days kept": _DAYS_KEPT}
    return Result({**facts, "versions in the hour": size.played_seconds * _VERSIONS_A_SECOND}, figures)


def _measure_versions(storage: str, records: "_Records", keys: Sequence[ScheduleKey]) -> list[Figure]:
    """The bytes of a version, with its share of its batch; a first round of each kind creates what is created once."""

    def measure(name: str, some: Sequence[ScheduleKey], goal: float | None, *, source: bool) -> list[Figure]:
        records.record(some, source_changed=source)
        sizes, times = [], []
        for _ in range(_ROUNDS):
            before = records.size()
            times.append(records.record(some, source_changed=source) * 1000 / len(some))
            sizes.append((records.size() - before) / len(some))
        return [
            Figure(f"{storage}, {name}", "bytes", sizes, goal),
            Figure(f"{storage}, {name}", "ms", times),
        ]

    return [
        *measure("a version with a new source", keys, None, source=True),
        *measure("a version by a catalogue change", keys, _BYTES_GOAL[storage], source=False),
        *measure("a version by a catalogue change, alone", keys[:1], None, source=False),
    ]


def _play_hour(
    bench: Bench, storage: str, size: _Size, records: "_Records", keys: Sequence[ScheduleKey]
) -> list[Figure]:
    """The memory of this process over an hour of a publisher, which is to grow in its first half only."""
    batch = _VERSIONS_A_SECOND * _BATCH_SECONDS
    batches = size.played_seconds // _BATCH_SECONDS
    memory = []
    for number in range(batches):
        start = number * batch % len(keys)
        records.record([*keys[start:], *keys][:batch], source_changed=number % 2 == 0)
        memory.append(_resident_bytes() / _MEGABYTE)
        if number % (batches // 10) == 0:
            bench.say(f"{storage}, batch {number} of {batches}: {memory[-1]:.0f} MB")
    half = len(memory) // 2
    growth = max(memory[half:]) - max(memory[:half])
    name = f"{storage}, growth of a publisher's memory in the second half of an hour"
    return [
        Figure(f"{storage}, a publisher's memory in an hour", "MB", memory[:: max(1, batches // 20)]),
        Figure(name, "MB", [growth], _GROWTH_GOAL_MB),
    ]


def _play_days(
    bench: Bench,
    storage: str,
    days: int,
    instances: "tuple[_Records, _Records]",
    keys: Sequence[ScheduleKey],
) -> list[Figure]:
    """The whole instance after each day."""
    pruned, left = instances
    began, sizes, unpruned, seconds = [], [], [], []
    for number in range(days):
        began.append(utc_now())
        # Half of the schedules never change after the first day, so pruning must keep their records.
        today = keys[number and len(keys) // 2 :]
        for records in instances:
            records.record(today, source_changed=True)
        cut_off = began[max(0, number + 1 - _DAYS_KEPT)]
        seconds.append(timed(lambda: pruned.prune(cut_off)))  # noqa: B023 - called at once
        pruned.must_have(keys)
        sizes.append(pruned.size() / _MEGABYTE)
        unpruned.append(left.size() / _MEGABYTE)
        bench.say(f"{storage}, day {number + 1} of {days}: {sizes[-1]:.1f} MB pruned, {unpruned[-1]:.1f} not")
    half = days // 2
    return [
        Figure(f"{storage}, whole instance after each day, pruned", "MB", sizes),
        Figure(f"{storage}, whole instance after each day, never pruned", "MB", unpruned),
        Figure(
            f"{storage}, largest in the second half, against the first",
            "ratio",
            [max(sizes[half:]) / max(sizes[:half])],
            _BOUNDED_GOAL,
        ),
        Figure(f"{storage}, pruning a day", "s", seconds),
    ]


class _Records:
    """An instance of Dagster, and a publisher that records versions in it."""

    def __init__(self, instance: dg.DagsterInstance, pipeline: Pipeline, size: Callable[[], int]) -> None:
        self.size = size
        self._instance = instance
        self._pipeline = pipeline
        self._settings = Settings(dagster_runs_kept_days=1, delivery_url="http://127.0.0.1:8080")
        publisher = dg.DagsterRun(job_name="publish_affected", run_id=str(uuid.uuid4()))
        job = rebuild_schedules_job(self._settings)
        writer = BatchRunWriter(instance, job, rebuild_config, publisher, utc_now)
        self._recorder = Recorder(pipeline, self._settings, instance, writer)

    def record(self, keys: Sequence[ScheduleKey], *, source_changed: bool) -> float:
        """Publish a version of each schedule, and record it. Returns the seconds that recording took."""
        feed = self._pipeline.store.feed
        rows = []
        for key, head in feed.heads_of(keys).items():
            now = utc_now()
            origin, subject = (
                (Origin.SCHEDULE, str(key)) if source_changed else (Origin.CATALOGUE, "b0123456789")
            )
            change = replace(
                head,
                seq=head.seq + 1,
                published_at=now,
                source_changed=source_changed,
                causes=(Cause(str(uuid.uuid4()), origin, subject, now - timedelta(milliseconds=60)),),
                cause_count=1,
            )
            rows.append((key, change.seq, render_row(change)))
        feed.append(rows)
        seconds = timed(self._recorder.record_all_published)
        if feed.unrecorded():
            raise WrongResult(f"{feed.unrecorded()} versions are not recorded")
        return seconds

    def prune(self, before: datetime) -> None:
        """Prune all runs that ended before ``before``."""
        of_then = Pipeline(
            self._pipeline.store,
            self._pipeline.upstreams,
            self._pipeline.calendar,
            lambda: before + timedelta(days=1),
        )

        @dg.op(name="prune")
        def prune(context: dg.OpExecutionContext) -> None:
            RecordPruner(of_then, self._settings, self._instance, OwnRunWriter(context)).prune()

        @dg.job(name="prune_records", executor_def=dg.in_process_executor)
        def prune_records() -> None:
            prune()

        prune_records.execute_in_process(run_config=_QUIETLY, instance=self._instance)

    def must_have(self, keys: Sequence[ScheduleKey]) -> None:
        """Raises WrongResult if a partition has no materialisation left."""
        there = self._instance.get_materialized_partitions(names.PARTNER_SCHEDULE)
        if lacking := {str(partition_key(key)) for key in keys} - there:
            raise WrongResult(f"{len(lacking)} of {len(keys)} partitions are missing after pruning")


@contextmanager
def _open_records(directory: Path, storage: str, pipeline: Pipeline) -> Iterator[_Records]:
    with records_instance(directory, storage) as instance:
        size = _size_of_database(instance) if storage == POSTGRES else _size_of_files(directory)
        yield _Records(instance, pipeline, size)


def _size_of_files(directory: Path) -> Callable[[], int]:
    """With what waits in logs moved into the files."""

    def size() -> int:
        for path in directory.rglob("*.db"):
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())

    return size


def _size_of_database(instance: dg.DagsterInstance) -> Callable[[], int]:
    """Without dead rows, which Postgres uses again only after a vacuum, every minute by itself."""
    url = cast("PostgresEventLogStorage", instance.event_log_storage).postgres_url
    engine = db.create_engine(url, isolation_level="AUTOCOMMIT")

    def size() -> int:
        with engine.connect() as connection:
            connection.execute(db.text("VACUUM"))
            return int(
                connection.execute(db.text("SELECT pg_database_size(current_database())")).scalar_one()
            )

    return size


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize()


@contextmanager
def hasty_files() -> Iterator[None]:
    """Make SQLite not wait for the disk. Its files have the same size, and a day takes seconds."""

    def hasten(connection: Any, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous=OFF")

    event.listen(Engine, "connect", hasten)
    try:
        yield
    finally:
        event.remove(Engine, "connect", hasten)
