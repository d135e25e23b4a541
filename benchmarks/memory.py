"""The memory of a schedule, an index entry and a catalogue copy in Redis, by ``MEMORY USAGE``.

Then one brand that is in every schedule of the first days is edited more often than versions are kept, so that each of
these schedules has as many replaced versions as it can have.

The bytes of a key include its name and the server's bookkeeping. The growth of the server's whole memory is reported
too, because the table of all keys belongs to no single key.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

from benchmarks.engine import (
    DocumentsInMemory,
    follow_item,
    make_engine,
    publish_exactly,
    rebuild_everything,
)
from benchmarks.harness import Bench, Figure, Result
from benchmarks.world import (
    FIRST_DATE,
    add_brand,
    source_documents,
    used_pids,
    whole_sample,
    write_catalogue,
)
from demo.sample import Document, Sample
from demo.servers import RedisServer
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.store.keys import Keys

_KEYSPACE = "schedules"


@dataclass(frozen=True, slots=True)
class _Size:
    services: int
    days: int
    edited: int
    edits: int


_FULL = _Size(services=44, days=14, edited=60, edits=55)
_QUICK = _Size(services=3, days=1, edited=2, edits=3)


def run(bench: Bench) -> Result:
    size = _QUICK if bench.quick else _FULL
    sample = whole_sample(FIRST_DATE, size.days, size.services)
    edited = sorted(sample.schedules, key=lambda name: (name[1], name[0]))[: size.edited]
    sample, brand = add_brand(sample, edited, "Benchmark Row")
    documents = source_documents(sample)
    with RedisServer(bench.directory / "redis") as server:
        redis = Redis.from_url(server.url, protocol=2)
        write_catalogue(redis, sample.catalogue.values())
        before = used_memory(redis)
        pipeline = make_engine(server.url, DocumentsInMemory(documents), _KEYSPACE)
        rebuild_everything(pipeline, list(documents))
        inventory = _Inventory(redis, sample, used_memory(redis) - before)
        result = inventory.result()
        keys = [ScheduleKey(Sid(sid), day) for sid, day in edited]
        edit_brand(redis, pipeline, brand, keys, range(size.edits))
        return Result(result.facts, [*result.figures, *inventory.versions(keys)])


def edit_brand(
    redis: Redis, pipeline: Pipeline, brand: Document, keys: Sequence[ScheduleKey], edits: Sequence[int]
) -> None:
    """Edit the brand for each of these numbers, with what Dagster's recorder does after each version."""
    for number in edits:
        write_catalogue(redis, [brand | {"title": f"Benchmark Row, Season {number}"}])
        follow_item(pipeline, brand["pid"])
        publish_exactly(pipeline, len(keys))
        pipeline.store.versions.compact(keys)


class _Inventory:
    """The content of the keyspace after a coldstart."""

    def __init__(self, redis: Redis, sample: Sample, growth: int) -> None:
        self._redis = redis
        self._keys = Keys(_KEYSPACE)
        self._documents = source_documents(sample)
        self._pids = [Pid(pid) for pid in sorted(used_pids(sample.catalogue, sample.schedules.values()))]
        self._growth = growth

    def result(self) -> Result:
        keys, schedules = self._keys, list(self._documents)
        state = self._usage([keys.state(key) for key in schedules])
        document = self._usage([keys.document(key) for key in schedules])
        outbox = self._usage([keys.outbox(key) for key in schedules])
        index = self._usage([keys.dependants(pid) for pid in self._pids])
        entries = self._sizes("ZCARD", [keys.dependants(pid) for pid in self._pids])
        heads, changes = self._usage([keys.feed("heads"), keys.feed("changes")])
        copies = self._usage([keys.copy(pid) for pid in self._pids])
        tokens = self._usage([keys.version_token(pid) for pid in self._pids])
        count = len(schedules)
        figures = [
            Figure("state of a schedule", "bytes", state),
            Figure("document of a schedule", "bytes", document),
            Figure("outbox of a schedule", "bytes", outbox),
            Figure("latest row of a schedule", "bytes", [heads / count]),
            Figure("row of the change feed", "bytes", [changes / count]),
            Figure("index, a schedule's entries", "bytes", [sum(index) / count]),
            Figure("index entry", "bytes", [sum(index) / sum(entries)]),
            Figure("catalogue copy", "bytes", [size for size in copies if size]),
            Figure("version token of a catalogue copy", "bytes", tokens),
            Figure("server's growth, a schedule", "bytes", [self._growth / count]),
        ]
        return Result(self._facts(sum(entries)), figures)

    def versions(self, keys: Sequence[ScheduleKey]) -> list[Figure]:
        """The replaced versions of these schedules."""
        documents = self._usage([self._keys.versions(key) for key in keys])
        kept = self._sizes("LLEN", [self._keys.versions(key) for key in keys])
        rows = self._usage([self._keys.history(key) for key in keys])
        return [
            Figure(f"replaced versions of a schedule, {max(kept)} of them", "bytes", documents),
            Figure("rows of these versions", "bytes", rows),
        ]

    def _facts(self, entries: int) -> dict[str, Any]:
        published = self._sizes("STRLEN", [self._keys.document(key) for key in self._documents])
        return {
            "schedules": len(self._documents),
            "index entries": entries,
            "catalogue items referred to": len(self._pids),
            "stored bytes of a document": sum(published) / len(published),
        }

    def _usage(self, keys: Sequence[str]) -> list[int]:
        """The bytes of each key with all nested values; 0 for a missing key."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.memory_usage(key, samples=0)
            return [size or 0 for size in pipeline.execute()]

    def _sizes(self, command: str, keys: Sequence[str]) -> list[int]:
        """The reply of ``ZCARD``, ``LLEN`` or ``STRLEN`` for each key."""
        pipeline: Any = self._redis.pipeline(transaction=False)
        for key in keys:
            pipeline.execute_command(command, key)
        return list(pipeline.execute())


def used_memory(redis: Redis) -> int:
    info: dict[str, Any] = redis.info("memory")
    return int(info["used_memory"])
