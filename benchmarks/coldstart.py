"""A coldstart of 1,320 schedules (44 services, 30 days) over a catalogue of 200,000 items.

The engine alone builds everything from the sources into an empty keyspace, in the batches of the coldstart's job and
with empty caches: once with the sources in the S3 emulator and once in memory, which shows the emulator's share.
Through Dagster, with its records in Postgres and in SQLite: from the launch of the backfill, just before the daemon
starts, until the last schedule is published, and until all of its runs have succeeded and every version is recorded.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import count

from benchmarks.backfill import launch_coldstart, run_statuses
from benchmarks.engine import (
    DocumentsInMemory,
    forget_what_is_remembered,
    make_engine,
    rebuild_everything,
)
from benchmarks.harness import (
    Bench,
    Figure,
    Result,
    WrongResult,
    freeze_garbage_collection,
    take_turns,
    timed,
)
from benchmarks.stack import POSTGRES, SQLITE, STORAGES, DagsterStack, Services, running_services
from benchmarks.world import (
    source_documents,
    unused_items,
    used_pids,
    whole_sample,
    write_catalogue,
)
from demo.sample import Sample
from schedules_pipeline.connections import utc_now
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.partitions import coldstart_shards
from schedules_pipeline.publishing.ports.feed import ChangeFeed
from schedules_pipeline.publishing.ports.upstream import ScheduleSource
from schedules_pipeline.settings import Settings

_ASK_EVERY_SECONDS = 0.25
_GIVE_UP_AFTER_SECONDS = 600
_RECORDED_GOAL_SECONDS = {POSTGRES: 20.0, SQLITE: 30.0}


@dataclass(frozen=True, slots=True)
class _Size:
    services: int
    days: int
    items: int
    engine_rounds: int
    dagster_runs: int


_FULL = _Size(services=44, days=30, items=200_000, engine_rounds=5, dagster_runs=3)
_QUICK = _Size(services=4, days=2, items=4_000, engine_rounds=1, dagster_runs=1)


def run(bench: Bench) -> Result:
    size = _QUICK if bench.quick else _FULL
    first = utc_now().date() - timedelta(days=2)
    sample = whole_sample(first, size.days, size.services)
    documents = source_documents(sample)
    with running_services(bench) as services:
        bench.say("loading")
        services.upstream.load(sample)
        write_catalogue(services.redis, unused_items(sample.catalogue, size.items - len(sample.catalogue)))
        freeze_garbage_collection()
        bench.say("the engine alone")
        engine = take_turns(_engine_sides(services, documents), size.engine_rounds)
        dagster = {
            storage: [
                _through_dagster(bench, services, storage, number, documents)
                for number in range(size.dagster_runs)
            ]
            for storage in STORAGES
        }
    figures = [
        Figure(f"engine, {len(documents):,} schedules, sources in memory", "s", engine["memory"]),
        Figure(f"engine, {len(documents):,} schedules, sources in S3", "s", engine["s3"]),
    ]
    for storage, times in dagster.items():
        published, recorded = zip(*times, strict=True)
        figures += [
            Figure(f"Dagster, {storage}, launched to last published", "s", published),
            Figure(
                f"Dagster, {storage}, launched to everything recorded",
                "s",
                recorded,
                _RECORDED_GOAL_SECONDS[storage],
            ),
        ]
    return Result(_facts(sample, size), figures)


def _facts(sample: Sample, size: _Size) -> dict[str, object]:
    used = used_pids(sample.catalogue, sample.schedules.values())
    return {
        "schedules": len(sample.schedules),
        "broadcasts": sum(len(d["broadcasts"]) for d in sample.schedules.values()),
        "catalogue items": size.items,
        "catalogue items that schedules use": len(used & sample.catalogue.keys()),
        "coldstart runs side by side": Settings().coldstart_shards,
        "verified": "all schedules were published, each time into an empty keyspace",
    }


def _engine_sides(services: Services, documents: dict[ScheduleKey, bytes]) -> dict[str, Callable[[], float]]:
    numbers = count(1)

    def build(source: ScheduleSource | None) -> float:
        """Build into a keyspace that is deleted afterwards."""
        keyspace = f"engine-{next(numbers)}"
        pipeline = make_engine(services.redis_url, source, keyspace)
        forget_what_is_remembered()
        seconds = timed(
            lambda: rebuild_everything(pipeline, list(pipeline.upstreams.schedule_source.list_keys()))
        )
        for key in services.redis.scan_iter(match=f"{keyspace}:*", count=10_000):
            services.redis.unlink(key)
        return seconds

    return {"memory": lambda: build(DocumentsInMemory(documents)), "s3": lambda: build(None)}


def _through_dagster(
    bench: Bench, services: Services, storage: str, number: int, documents: dict[ScheduleKey, bytes]
) -> tuple[float, float]:
    """Seconds from the launch to the last publication, and to the last record and the end of all runs."""
    bench.say(f"through Dagster, {storage}, {number + 1}")
    keyspace = f"{storage.lower()}-{number}"
    environment = {**services.environment, "SCHEDULES_KEYSPACE": keyspace}
    shards = coldstart_shards(Settings()).get_partition_keys()
    with DagsterStack(bench.directory / keyspace, environment, storage) as stack:
        # Only the backfill may begin a coldstart.
        make_engine(services.redis_url, None, keyspace).store.coldstarts.begin_epoch("benchmark")
        launched_at = utc_now()
        backfill = launch_coldstart(stack.webserver, shards)
        stack.start_daemon()
        _wait_for(lambda: run_statuses(stack.webserver, backfill), len(shards))
        _wait_until_recorded(make_engine(services.redis_url, None, keyspace).store.feed)
        ended_at = utc_now()
    heads = make_engine(services.redis_url, None, keyspace).store.feed.heads()
    if heads.keys() != documents.keys():
        raise WrongResult(f"{len(heads)} of {len(documents)} schedules were published")
    published_at = max(head.published_at for head in heads.values())
    return (published_at - launched_at).total_seconds(), (ended_at - launched_at).total_seconds()


def _wait_for(statuses: Callable[[], list[str]], runs: int) -> None:
    until = time.monotonic() + _GIVE_UP_AFTER_SECONDS
    while (found := statuses()).count("SUCCESS") < runs:
        if time.monotonic() > until or {"FAILURE", "CANCELED"} & set(found):
            raise WrongResult(f"the coldstart's runs ended with {found}")
        time.sleep(_ASK_EVERY_SECONDS)


def _wait_until_recorded(feed: ChangeFeed) -> None:
    until = time.monotonic() + _GIVE_UP_AFTER_SECONDS
    while unrecorded := feed.unrecorded():
        if time.monotonic() > until:
            raise WrongResult(f"{unrecorded} versions are not recorded")
        time.sleep(_ASK_EVERY_SECONDS)
