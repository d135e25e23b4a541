"""The size of Dagster's own records on SQLite: for a published version, and for the whole instance over many
prunings.

The benchmark plays days: on each day a few runs record versions with their checks as the publisher does, then the
records are pruned as ``prune_records`` does. SQLite's files never shrink, but freed pages are used again, so the
question is whether the whole stays bounded. A second instance is never pruned, for comparison. A day lasts as long as
its runs.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Self, cast

import dagster as dg
from sqlalchemy import event
from sqlalchemy.engine import Engine

from benchmarks.engine import DocumentsInMemory, make_engine, rebuild_everything
from benchmarks.harness import Bench, Figure, Result, WrongResult, timed
from benchmarks.world import FIRST_DATE, source_documents, whole_sample, write_catalogue
from demo.servers import RedisServer
from schedules_pipeline.assets import names
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import utc_now
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.event_batches import OwnRunWriter
from schedules_pipeline.partitions import partition_key
from schedules_pipeline.pruning import RecordPruner
from schedules_pipeline.publishing.ports.feed import ChangeFeed
from schedules_pipeline.recording import Recorder
from schedules_pipeline.settings import Settings

_DAYS_KEPT = 2
_ROUNDS = 3
_MEGABYTE = 1_000_000
_QUIETLY = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, slots=True)
class _Size:
    services: int
    broadcast_days: int
    runs_a_day: int
    days: int


_FULL = _Size(services=5, broadcast_days=4, runs_a_day=2, days=8)
_QUICK = _Size(services=2, broadcast_days=1, runs_a_day=1, days=4)


def run(bench: Bench) -> Result:
    size = _QUICK if bench.quick else _FULL
    sample = whole_sample(FIRST_DATE, size.broadcast_days, size.services)
    documents = source_documents(sample)
    with RedisServer(bench.directory / "redis") as server, hasty_files():
        from redis import Redis  # noqa: PLC0415 - beside its only use

        write_catalogue(Redis.from_url(server.url, protocol=2), sample.catalogue.values())
        pipeline = make_engine(server.url, DocumentsInMemory(documents), "schedules")
        rebuild_everything(pipeline, list(documents))
        pruned, left = (_Records(bench.directory / name, pipeline) for name in ("pruned", "left"))
        with pruned, left:
            return _play(bench, size, pruned, left, list(documents))


def _play(
    bench: Bench, size: _Size, pruned: "_Records", left: "_Records", keys: Sequence[ScheduleKey]
) -> Result:
    versions = _measure_versions(left, keys)
    days = list(_play_days(bench, size, pruned, left, keys))
    return Result(
        _facts(size, keys, [day.pruned_bytes for day in days], [day.left_bytes for day in days]),
        [
            *versions,
            Figure(
                "whole instance after each day, pruned", "MB", [day.pruned_bytes / _MEGABYTE for day in days]
            ),
            Figure(
                "whole instance after each day, never pruned",
                "MB",
                [day.left_bytes / _MEGABYTE for day in days],
            ),
            Figure("pruning a day", "s", [day.pruning_seconds for day in days]),
        ],
    )


def _measure_versions(left: "_Records", keys: Sequence[ScheduleKey]) -> list[Figure]:
    """The bytes of a recorded version, without those of the run itself."""
    idle = [left.growth_by(lambda: left.record([], source_changed=False)) for _ in range(_ROUNDS)]

    def bytes_each(*, source_changed: bool) -> list[float]:
        grown = [
            left.growth_by(lambda: left.record(keys, source_changed=source_changed)) for _ in range(_ROUNDS)
        ]
        return [(growth - median(idle)) / len(keys) for growth in grown]

    return [
        Figure("a version with a new source, nine events", "bytes", bytes_each(source_changed=True)),
        Figure("a version by a catalogue change, four events", "bytes", bytes_each(source_changed=False)),
        Figure("a run that records nothing", "bytes", idle),
    ]


@dataclass(frozen=True, slots=True)
class _Day:
    """The sizes of both instances at the end of a day, and the time that pruning took."""

    pruned_bytes: int
    left_bytes: int
    pruning_seconds: float


def _play_days(
    bench: Bench, size: _Size, pruned: "_Records", left: "_Records", keys: Sequence[ScheduleKey]
) -> Iterator[_Day]:
    began = []
    for number in range(size.days):
        began.append(utc_now())
        # Half of the schedules never change after the first day, so pruning must keep their records.
        today = keys[number and len(keys) // 2 :]
        for _ in range(size.runs_a_day):
            pruned.record(today, source_changed=True)
            left.record(today, source_changed=True)
        cut_off = began[max(0, number + 1 - _DAYS_KEPT)]
        seconds = timed(lambda: pruned.prune(cut_off))  # noqa: B023 - called at once
        pruned.must_have(keys)
        day = _Day(pruned.size(), left.size(), seconds)
        bench.say(
            f"day {number + 1} of {size.days}: {day.pruned_bytes:,} bytes pruned, {day.left_bytes:,} never pruned"
        )
        yield day


def _facts(
    size: _Size, keys: Sequence[ScheduleKey], sizes: Sequence[int], grew: Sequence[int]
) -> dict[str, Any]:
    half = len(sizes) // 2
    return {
        "partitions": len(keys),
        "versions a day after the first": (len(keys) - len(keys) // 2) * size.runs_a_day,
        "days": size.days,
        "days kept": _DAYS_KEPT,
        "largest in the first half, MB": max(sizes[:half]) / _MEGABYTE,
        "largest in the second half, MB": max(sizes[half:]) / _MEGABYTE,
        "never pruned at the end, MB": grew[-1] / _MEGABYTE,
    }


class _Records:
    """An instance on SQLite, and runs in it that record published versions."""

    def __init__(self, directory: Path, pipeline: Pipeline) -> None:
        directory.mkdir()
        self._directory = directory
        self._pipeline = pipeline
        self._settings = Settings(dagster_runs_kept_days=1)
        self._instance = dg.DagsterInstance.local_temp(str(directory))

    def __enter__(self) -> Self:
        self._instance.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._instance.dispose()

    def record(self, keys: Sequence[ScheduleKey], *, source_changed: bool) -> None:
        """Record the current version of each schedule in one run, as a version of that kind."""

        def op(context: dg.OpExecutionContext) -> None:
            pipeline = _with_heads(self._pipeline, source_changed=source_changed)
            recorder = Recorder(pipeline, self._settings, self._instance, OwnRunWriter(context))
            recorder.record_versions(keys)

        self._run("publish_affected", op)

    def prune(self, before: datetime) -> None:
        """Prune all runs that ended before ``cut_off``."""

        def op(context: dg.OpExecutionContext) -> None:
            pipeline = _with_heads(self._pipeline, source_changed=True)
            pipeline.clock = lambda: before + timedelta(days=1)
            RecordPruner(pipeline, self._settings, self._instance, OwnRunWriter(context)).prune()

        self._run("prune_records", op)

    def must_have(self, keys: Sequence[ScheduleKey]) -> None:
        """Raises WrongResult if a partition has no materialisation left."""
        there = self._instance.get_materialized_partitions(names.PARTNER_SCHEDULE)
        if lacking := {str(partition_key(key)) for key in keys} - there:
            raise WrongResult(f"{len(lacking)} of {len(keys)} partitions are missing after pruning")

    def growth_by(self, action: Callable[[], None]) -> int:
        """The number of bytes by which the files grow."""
        before = self.size()
        action()
        return self.size() - before

    def size(self) -> int:
        return sum(path.stat().st_size for path in self._directory.rglob("*") if path.is_file())

    def _run(self, job: str, body: Callable[[dg.OpExecutionContext], None]) -> None:
        @dg.op(name=job)
        def op(context: dg.OpExecutionContext) -> None:
            body(context)

        @dg.job(name=job, executor_def=dg.in_process_executor)
        def made() -> None:
            op()

        made.execute_in_process(run_config=_QUIETLY, instance=self._instance)


class _Heads:
    """The heads of a feed, presented as versions with or without a new source."""

    def __init__(self, feed: ChangeFeed, *, source_changed: bool) -> None:
        self._heads = {k: replace(c, source_changed=source_changed) for k, c in feed.heads().items()}

    def heads(self) -> dict[ScheduleKey, Change]:
        return self._heads

    def heads_of(self, keys: Iterable[ScheduleKey]) -> dict[ScheduleKey, Change]:
        return {key: self._heads[key] for key in keys if key in self._heads}


def _with_heads(pipeline: Pipeline, *, source_changed: bool) -> Pipeline:
    feed = cast("ChangeFeed", _Heads(pipeline.store.feed, source_changed=source_changed))
    store = replace(pipeline.store, feed=feed)
    return Pipeline(store, pipeline.upstreams, pipeline.calendar, pipeline.clock)


@contextmanager
def hasty_files() -> Iterator[None]:
    """Make SQLite not wait for the disk. Its files have the same size, and a day takes seconds."""

    def hasten(connection: Any, _: object) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    event.listen(Engine, "connect", hasten)
    try:
        yield
    finally:
        event.remove(Engine, "connect", hasten)
