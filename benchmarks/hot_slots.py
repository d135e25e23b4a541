"""How much of a publication falls on the two hash slots that all schedules share: the work queue and the change feed.

Every other key of a publication is in the schedule's own slot, so more masters and publishers share its cost. The
processor time that Redis spends on one shared slot for each schedule gives the rate at which that slot's master is
saturated, however many publishers there are. That is measured on one server. ``hot_slots_cluster`` then loads a cluster
of three masters with several publishers.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from itertools import count
from typing import Any

from redis import Redis

from benchmarks.engine import DocumentsInMemory, follow_item, make_engine, publish_exactly, rebuild_everything
from benchmarks.harness import Bench, Figure, Result, freeze_garbage_collection
from benchmarks.hot_slots_cluster import measure_cluster
from benchmarks.world import add_brand, regional_sample, source_documents, write_catalogue
from demo.servers import RedisServer

_HOT = {"work": ("mark", "claim", "release"), "feed": ("append",)}
_MICROSECONDS = 1e6


def run(bench: Bench) -> Result:
    variants, days, rounds = (2, 2, 3) if bench.quick else (12, 25, 15)
    sample = regional_sample(variants, days)
    sample, brand = add_brand(sample, list(sample.schedules), "Benchmark Row")
    documents = source_documents(sample)
    with RedisServer(bench.directory / "redis") as server:
        redis = Redis.from_url(server.url, protocol=2)
        pipeline = make_engine(server.url, DocumentsInMemory(documents))
        write_catalogue(redis, sample.catalogue.values())
        rebuild_everything(pipeline, list(documents))
        meter = _Meter(redis, len(documents))
        for slot, names in _HOT.items():
            for name in names:
                meter.attach(slot, getattr(pipeline.store, slot), name)
        freeze_garbage_collection()
        edits = count(1)
        for _ in range(rounds):
            meter.begin_round()
            write_catalogue(redis, [brand | {"title": f"Benchmark Row, Season {next(edits)}"}])
            follow_item(pipeline, brand["pid"])
            meter.measure_publishing(lambda: publish_exactly(pipeline, len(documents)))
    facts, figures = measure_cluster(bench)
    return Result({"schedules in a batch": len(documents), **facts}, [*meter.figures(), *figures])


class _Meter:
    """Collects, for each round, microseconds of processor time for a schedule."""

    def __init__(self, redis: Redis, schedules: int) -> None:
        self._redis: Any = redis
        self._schedules = schedules
        self._rounds: list[defaultdict[str, float]] = []

    def begin_round(self) -> None:
        self._rounds.append(defaultdict(float))

    def attach(self, slot: str, store: object, name: str) -> None:
        """Have the store's method measured from now on."""
        method = getattr(store, name)

        def measured(*args: Any, **kwargs: Any) -> Any:
            before = self._redis_seconds()
            try:
                return method(*args, **kwargs)
            finally:
                self._add(slot, self._redis_seconds() - before)

        setattr(store, name, measured)

    def measure_publishing(self, publish: Callable[[], None]) -> None:
        before, began = self._redis_seconds(), time.process_time()
        publish()
        self._add("publisher", time.process_time() - began)
        self._add("redis", self._redis_seconds() - before)

    def figures(self) -> list[Figure]:
        found = {
            name: [each[name] for each in self._rounds] for name in ("work", "feed", "redis", "publisher")
        }
        saturated = {slot: [_MICROSECONDS / cost for cost in found[slot]] for slot in _HOT}
        return [
            Figure("the publisher, a schedule", "µs", found["publisher"]),
            Figure("Redis while publishing, a schedule", "µs", found["redis"]),
            Figure("… the slot {work}, with marking", "µs", found["work"]),
            Figure("… the slot {feed}", "µs", found["feed"]),
            Figure("{work} is saturated at, a second", "schedules", saturated["work"]),
            Figure("{feed} is saturated at, a second", "schedules", saturated["feed"]),
        ]

    def _add(self, name: str, seconds: float) -> None:
        self._rounds[-1][name] += seconds * _MICROSECONDS / self._schedules

    def _redis_seconds(self) -> float:
        used = self._redis.info("cpu")
        return float(used["used_cpu_user_main_thread"] + used["used_cpu_sys_main_thread"])
