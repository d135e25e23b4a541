"""Several publishers on a Redis Cluster of three masters: what they publish, and what each master does for it.

All schedules show one brand, which is edited. They are marked first; then 1, 2 and 4 publisher processes begin at once
and publish until nothing is pending. Publishers and masters share the cores of this machine, so the rate stops growing
when these are busy. The processor time of the master with both shared slots, for each schedule, says when that
master would be saturated if every process had a core of its own; that it is the same for 1 and for 4 publishers says
that nothing else stands in their way.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from redis import Redis

from benchmarks.engine import DocumentsInMemory, follow_item, make_engine, rebuild_everything
from benchmarks.harness import Bench, Figure, WrongResult, freeze_garbage_collection, take_turns
from benchmarks.world import add_brand, regional_sample, source_documents, write_catalogue
from demo.redis_cluster import Cluster, running_cluster, slot_of
from demo.servers import RedisServer, bundled_redis
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports.schedules import Outcome

_MICROSECONDS = 1e6
_SHARED = ("work", "feed")


@dataclass(frozen=True, slots=True)
class _Size:
    variants: int
    days: int
    rounds: int
    publishers: tuple[int, ...]


_FULL = _Size(variants=12, days=100, rounds=5, publishers=(1, 2, 4))
_QUICK = _Size(variants=2, days=3, rounds=1, publishers=(1, 2))


@dataclass(frozen=True, slots=True)
class _Addresses:
    """Of the cluster, and of the server with the catalogue."""

    cluster: str
    catalogue: str

    def engine(self, documents: dict[ScheduleKey, bytes]) -> Pipeline:
        return make_engine(self.cluster, DocumentsInMemory(documents), catalogue_url=self.catalogue)


@dataclass(frozen=True, slots=True)
class _Round:
    """``seconds``: from the first claim until nothing is pending. The others: processor time."""

    seconds: float
    publishers: float
    busiest_master: float
    all_masters: float


class _Publisher:
    """A process that publishes until nothing is pending, each time that it is told to."""

    def __init__(self, addresses: _Addresses, documents: dict[ScheduleKey, bytes]) -> None:
        context = get_context("fork")
        self._pipe, end = context.Pipe()
        self._process = context.Process(target=_publish, args=(addresses, documents, end))
        self._process.start()
        end.close()

    def begin(self) -> None:
        self._pipe.send(None)

    def result(self) -> tuple[int, float]:
        """The number of published schedules, and the processor time. Raises EOFError if the process has failed."""
        result: tuple[int, float] = self._pipe.recv()
        return result

    def stop(self) -> None:
        self._process.terminate()
        self._process.join()


def _publish(addresses: _Addresses, documents: dict[ScheduleKey, bytes], parent: Connection) -> None:
    pipeline = addresses.engine(documents)
    freeze_garbage_collection()
    while True:
        parent.recv()
        before = time.process_time()
        published = sum(batch.count(Outcome.PUBLISHED) for batch in pipeline.publisher.publish_all())
        parent.send((published, time.process_time() - before))


class _Load:
    """A filled cluster, and the publishers that are asked to publish."""

    def __init__(self, cluster: Cluster, catalogue: RedisServer, size: _Size) -> None:
        sample = regional_sample(size.variants, size.days)
        sample, self._brand = add_brand(sample, list(sample.schedules), "Benchmark Row")
        self.schedules = len(sample.schedules)
        self._masters = [_Meter(master.client) for master in cluster.masters]
        self._catalogue = Redis.from_url(catalogue.url, protocol=2)
        write_catalogue(self._catalogue, sample.catalogue.values())
        documents, addresses = source_documents(sample), _Addresses(cluster.url, catalogue.url)
        self._pipeline = addresses.engine(documents)
        rebuild_everything(self._pipeline, list(documents))
        self._publishers = [_Publisher(addresses, documents) for _ in range(max(size.publishers))]
        self._edits = count(1)

    def round(self, publishers: int) -> _Round:
        """Raises :class:`WrongResult` unless every schedule is published once."""
        title = f"Benchmark Row, Season {next(self._edits)}"
        write_catalogue(self._catalogue, [self._brand | {"title": title}])
        follow_item(self._pipeline, self._brand["pid"])
        before, began = [meter.seconds() for meter in self._masters], time.perf_counter()
        chosen = self._publishers[:publishers]
        for publisher in chosen:
            publisher.begin()
        results = [publisher.result() for publisher in chosen]
        seconds = time.perf_counter() - began
        masters = [meter.seconds() - earlier for meter, earlier in zip(self._masters, before, strict=True)]
        if (published := sum(count for count, _ in results)) != self.schedules:
            raise WrongResult(f"{published} of {self.schedules} schedules were published")
        return _Round(seconds, sum(busy for _, busy in results), max(masters), sum(masters))

    def stop(self) -> None:
        for publisher in self._publishers:
            publisher.stop()


class _Meter:
    def __init__(self, redis: Any) -> None:
        self._redis = redis

    def seconds(self) -> float:
        """The processor time of the server's main thread so far."""
        used = self._redis.info("cpu")
        return float(used["used_cpu_user_main_thread"] + used["used_cpu_sys_main_thread"])


def measure_cluster(bench: Bench) -> tuple[dict[str, object], list[Figure]]:
    size = _QUICK if bench.quick else _FULL
    bench.say("a cluster of three masters")
    directories = (bench.directory / f"master-{number}" for number in count(1))
    with (
        RedisServer(bench.directory / "catalogue") as catalogue,
        running_cluster(bundled_redis(), lambda: next(directories)) as cluster,
    ):
        load = _Load(cluster, catalogue, size)
        try:
            sides = {number: partial(load.round, number) for number in size.publishers}
            rounds = take_turns(sides, size.rounds)
        finally:
            load.stop()
        shared = {tag: cluster.owner(slot_of(tag)).port for tag in _SHARED}
    facts: dict[str, object] = {
        "schedules of a round on the cluster": load.schedules,
        "one master has both shared slots": len(set(shared.values())) == 1,
    }
    figures = [figure for number in size.publishers for figure in _figures(number, rounds[number], load)]
    return facts, figures


def _figures(publishers: int, rounds: Sequence[_Round], load: _Load) -> Iterator[Figure]:
    each = _MICROSECONDS / load.schedules
    name = f"cluster, {publishers} publishers" if publishers > 1 else "cluster, 1 publisher"
    yield Figure(name, "schedules/s", [load.schedules / r.seconds for r in rounds])
    yield Figure("… processor time of the publishers", "µs", [r.publishers * each for r in rounds])
    yield Figure("… of all masters", "µs", [r.all_masters * each for r in rounds])
    yield Figure("… of the busiest master", "µs", [r.busiest_master * each for r in rounds])
    saturated = [load.schedules / r.busiest_master for r in rounds]
    yield Figure("… the busiest master is saturated at", "schedules/s", saturated)
