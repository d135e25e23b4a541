"""The cost of rebuilding and publishing, in one batch, 300 schedules of a brand that was edited.

It is compared with a bare loop that moves the same bytes through the same Redis from the same process: one MGET of
the 300 source documents, one of the distinct catalogue documents, decoding, encoding of 300 prepared results, and SET
in one pipeline. And with the old system's sequential algorithm: one read for each schedule, each broadcast and each
ancestor, then join and SET.

The engine runs three times a round, each time after an edit: with empty caches, as in a process that has just started;
with those that a publisher fills as soon as nothing is pending; and with the caches of its last batch, as in a standing
publisher. The loop has no cache.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import orjson
from redis import Redis

from benchmarks.engine import (
    DocumentsInMemory,
    follow_item,
    forget_what_is_remembered,
    make_engine,
    publish_exactly,
    rebuild_everything,
)
from benchmarks.harness import (
    Bench,
    Figure,
    Result,
    WrongResult,
    freeze_garbage_collection,
    milliseconds,
    ratios,
    take_turns,
    timed,
)
from benchmarks.world import (
    add_brand,
    regional_sample,
    source_documents,
    used_pids,
    write_catalogue,
)
from demo.old_system import generate
from demo.sample import Document, Sample
from demo.servers import RedisServer
from demo.upstream import CATALOGUE_PREFIX
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.remember import remember_in_steps


@dataclass(frozen=True, slots=True)
class _Size:
    variants: int
    days: int
    rounds: int


_FULL = _Size(variants=12, days=25, rounds=15)
_QUICK = _Size(variants=2, days=2, rounds=3)


def run(bench: Bench) -> Result:
    size = _QUICK if bench.quick else _FULL
    sample = regional_sample(size.variants, size.days)
    sample, brand = add_brand(sample, list(sample.schedules), "Benchmark Row")
    with RedisServer(bench.directory / "redis") as server:
        redis = Redis.from_url(server.url, protocol=2)
        contest = _Contest(
            redis, make_engine(server.url, DocumentsInMemory(source_documents(sample))), sample, brand
        )
        freeze_garbage_collection()
        times = take_turns(contest.sides(), size.rounds)
        contest.verify()
        return Result(contest.facts(), _figures(times, len(sample.schedules)))


def _figures(times: dict[str, list[float]], schedules: int) -> list[Figure]:
    fresh, standing, loop, sequential = (times[side] for side in ("fresh", "standing", "loop", "sequential"))
    idle = times["idle"]
    return [
        Figure(f"engine just started, {schedules} schedules", "ms", milliseconds(fresh)),
        Figure(f"engine that stands, {schedules} schedules", "ms", milliseconds(standing)),
        Figure("bare loop, the same bytes", "ms", milliseconds(loop)),
        Figure("sequential algorithm", "ms", milliseconds(sequential)),
        Figure("engine just started / bare loop", "times", ratios(fresh, loop), goal=2.0),
        Figure("engine just started and once idle / bare loop", "times", ratios(idle, loop), goal=2.0),
        Figure("engine that stands / bare loop", "times", ratios(standing, loop), goal=2.0),
        Figure("sequential / engine just started", "times", ratios(sequential, fresh)),
    ]


class _Contest:
    """The sides, over the same documents in the same Redis."""

    def __init__(self, redis: Redis, pipeline: Pipeline, sample: Sample, brand: Document) -> None:
        # The client's types also allow text replies, which this client never returns.
        self._redis: Any = redis
        self._pipeline = pipeline
        self._brand = brand
        self._edits = count(1)
        self._keys = [str(key) for key in source_documents(sample)]
        self._used = sorted(used_pids(sample.catalogue, sample.schedules.values()) & sample.catalogue.keys())
        write_catalogue(redis, sample.catalogue.values())
        redis.mset({_source(str(key)): text for key, text in source_documents(sample).items()})
        rebuild_everything(pipeline, list(source_documents(sample)))
        self._finished = [orjson.loads(document) for document in self._published()]

    def sides(self) -> dict[str, Callable[[], float]]:
        return {
            "fresh": self._fresh,
            "idle": self._idle,
            "standing": self._engine,
            "loop": partial(timed, self._loop),
            "sequential": partial(timed, self._sequential),
        }

    def _fresh(self) -> float:
        forget_what_is_remembered()
        return self._engine()

    def _idle(self) -> float:
        forget_what_is_remembered()
        for _ in remember_in_steps(self._pipeline.store):
            pass
        return self._engine()

    def _engine(self) -> float:
        """Edit the brand, which marks the schedules for rebuild. Returns the time of publishing them."""
        title = f"Benchmark Row, Season {next(self._edits)}"
        write_catalogue(self._redis, [self._brand | {"title": title}])
        follow_item(self._pipeline, self._brand["pid"])
        return timed(lambda: publish_exactly(self._pipeline, len(self._keys)))

    def _loop(self) -> None:
        sources = self._redis.mget([_source(key) for key in self._keys])
        items = self._redis.mget([CATALOGUE_PREFIX + pid for pid in self._used])
        decoded = [orjson.loads(content) for content in [*sources, *items]]
        with self._redis.pipeline(transaction=False) as pipeline:
            for key, document in zip(self._keys, self._finished, strict=True):
                pipeline.set(f"bare:document:{key}", orjson.dumps(document))
            pipeline.execute()
        del decoded

    def _sequential(self) -> None:
        for key in self._keys:
            schedule = generate(orjson.loads(self._redis.get(_source(key))), self._read_item)
            self._redis.set(f"sequential:document:{key}", orjson.dumps(schedule))

    def _read_item(self, pid: str) -> Document | None:
        content = self._redis.get(CATALOGUE_PREFIX + pid)
        return None if content is None else orjson.loads(content)

    def _published(self) -> list[bytes]:
        keys = [ScheduleKey.parse(key) for key in self._keys]
        found = self._pipeline.store.schedules.documents(keys)
        return [found[key] for key in keys]

    def verify(self) -> None:
        """Raises WrongResult unless the engine and the sequential algorithm have equal results."""
        self._engine()
        self._sequential()
        theirs = self._redis.mget([f"sequential:document:{key}" for key in self._keys])
        for ours, other in zip(self._published(), theirs, strict=True):
            if orjson.loads(ours)["broadcasts"] != orjson.loads(other)["broadcasts"]:
                raise WrongResult(f"the documents differ: {ours[:80]!r}")

    def facts(self) -> dict[str, Any]:
        return {
            "schedules": len(self._keys),
            "broadcasts": sum(len(document["broadcasts"]) for document in self._finished),
            "distinct catalogue documents": len(self._used),
            "published bytes": sum(map(len, self._published())),
            "garbage collection": "collected and frozen once before the rounds, on for all sides",
            "verified": "all were published in each round, and equal the sequential algorithm's",
        }


def _source(key: str) -> str:
    return f"bare:source:{key}"
