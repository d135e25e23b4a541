"""A collection and a full reconcile of 1,320 schedules (44 services, 30 days), over a catalogue of 200,000 items.

The engine alone, with schedule documents in memory and the catalogue in Redis. As on an ordinary day, no schedule is
pending and no document differs; the collection is also measured with many unused copies and entries. The reconcile
finds nothing to verify again, so its waiting time is not part of the figure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from redis import Redis

from benchmarks.engine import DocumentsInMemory, make_engine, rebuild_everything
from benchmarks.harness import (
    Bench,
    Figure,
    Result,
    WrongResult,
    freeze_garbage_collection,
    take_turns,
    timed,
)
from benchmarks.world import FIRST_DATE, source_documents, unused_items, whole_sample, write_catalogue
from demo.sample import derive_pid
from demo.servers import RedisServer
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.dependencies import Entry
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.maintenance.ports import PassReport

_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class _Size:
    services: int
    days: int
    items: int
    garbage: int
    rounds: int


_FULL = _Size(services=44, days=30, items=200_000, garbage=20_000, rounds=5)
_QUICK = _Size(services=4, days=2, items=4_000, garbage=100, rounds=1)


def run(bench: Bench) -> Result:
    size = _QUICK if bench.quick else _FULL
    sample = whole_sample(FIRST_DATE, size.days, size.services)
    documents = source_documents(sample)
    with RedisServer(bench.directory / "redis") as server:
        redis = Redis.from_url(server.url, protocol=2)
        bench.say("loading")
        write_catalogue(redis, sample.catalogue.values())
        write_catalogue(redis, unused_items(sample.catalogue, size.items - len(sample.catalogue)))
        pipeline = make_engine(server.url, DocumentsInMemory(documents))
        rebuild_everything(pipeline, list(documents))
        pipeline.collector.collect()
        freeze_garbage_collection()
        bench.say("measuring")
        times = take_turns(_sides(pipeline, list(documents), size.garbage), size.rounds)
    return Result(
        {
            "schedules": len(documents),
            "catalogue items": size.items,
            "garbage": f"{size.garbage:,} copies and as many index entries",
            "verified": "the counts of every pass",
        },
        [
            Figure("collection, nothing to collect", "s", times["tidy"]),
            Figure(f"collection, {size.garbage:,} copies and entries to collect", "s", times["untidy"]),
            Figure("reconcile of everything, nothing differs", "s", times["reconcile"]),
        ],
    )


def _sides(pipeline: Pipeline, keys: list[ScheduleKey], garbage: int) -> dict[str, Callable[[], float]]:
    numbers = count(1)

    def collect(expected: int) -> float:
        return _timed(pipeline.collector.collect, {"catalogue copies": expected, "index entries": expected})

    def collect_garbage() -> float:
        _litter(pipeline, keys, garbage, f"garbage {next(numbers)}")
        return collect(garbage)

    return {
        "tidy": lambda: collect(0),
        "untidy": collect_garbage,
        "reconcile": lambda: _timed(
            pipeline.reconciler.reconcile, {"schedules": len(keys), "suspected": 0, "passed over": 0}
        ),
    }


def _timed(run_pass: Callable[[], PassReport], expected: dict[str, int]) -> float:
    reports: list[PassReport] = []
    seconds = timed(lambda: reports.append(run_pass()))
    found = {name: reports[0].counts[name] for name in expected}
    if found != expected:
        raise WrongResult(f"the pass found {found}, not {expected}")
    return seconds


def _litter(pipeline: Pipeline, keys: list[ScheduleKey], amount: int, name: str) -> None:
    """Add copies that no schedule uses, and index entries of builds that died before their commit."""
    pids = [Pid(derive_pid(f"{name}/{number}", "c")) for number in range(amount)]
    copies, references = pipeline.store.copies, pipeline.store.references
    for start in range(0, amount, _AT_ONCE):
        batch = pids[start : start + _AT_ONCE]
        tokens = copies.take_tokens(batch)
        copies.insert_if_absent(
            {pid: (tokens[pid], b'["brand","Unused",null,"","","","",null]') for pid in batch}
        )
        references.register({keys[start // _AT_ONCE % len(keys)]: [Entry(pid) for pid in batch]}, 1)
