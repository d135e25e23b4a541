"""The delivery service on one core: requests a second, memory, delay of announcements, and service without Redis.

Load: a conditional hit, a whole document in gzip and plain, and a page of the change feed, over 1, 8 and 64
connections, in turns with the framework's bare "hello" and with nginx, which serves the same bytes as files. Server
and load have a core each; Redis shares the load's. Memory: of the process without schedules, with half and with all
of them. Delay: from the row in the feed until a stream has received and fetched the version. Without Redis:
conditional hits before and after it stops, the latter marked as stale.

``delivery_load`` and ``delivery_telling`` do the measurements; ``waiting`` is about many partners that wait.
"""

import os
import resource
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import uvloop

from benchmarks.delivery_load import LoadPlan, conditional_hit, measure_load
from benchmarks.delivery_telling import measure_one
from benchmarks.delivery_world import Keyspace, ServedState, add_partners, fill
from benchmarks.harness import Bench, Figure, Result, WrongResult
from benchmarks.load import Wrk, wrk_executable
from benchmarks.web_servers import DeliveryServer, nginx_executable, on_core, started
from demo.servers import RedisServer
from schedules_pipeline.connections import utc_now

_NO_WRK = "left out: install wrk (Debian: apt install wrk)"
_NO_NGINX = "left out: install nginx (Debian: apt install nginx-light)"
_STALE_AFTER_SECONDS = 5
_STALE_WITHIN_SECONDS = 15.0
_SETTLES_SECONDS = 1.0
_OPEN_FILES = 8_192
_CONNECTIONS = 8


@dataclass(frozen=True, slots=True)
class _Size:
    """``days``: of the half and of the whole."""

    services: int
    days: tuple[int, int]
    rows: int
    connections: tuple[int, ...]
    rounds: int
    seconds: int
    changes: int


_FULL = _Size(
    services=44,
    days=(14, 30),
    rows=100,
    connections=(1, 8, 64),
    rounds=5,
    seconds=1,
    changes=60,
)
_QUICK = _Size(
    services=6,
    days=(2, 3),
    rows=10,
    connections=(8,),
    rounds=1,
    seconds=1,
    changes=3,
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the servers run."""

    bench: Bench
    core: int
    redis: RedisServer

    @contextmanager
    def served(self, keyspace: Keyspace, keys: Sequence[str]) -> Iterator[tuple[ServedState, DeliveryServer]]:
        """A service alone on its core, after it has read everything."""
        settings = {
            "SCHEDULES_REDIS_URL": self.redis.url,
            "SCHEDULES_KEYSPACE": keyspace.name,
            "SCHEDULES_DELIVERY_MARKED_STALE_SECONDS": str(_STALE_AFTER_SECONDS),
        }
        directory = self.bench.directory / f"delivery-{keyspace.name}"
        server = DeliveryServer(directory, settings, is_empty=not keyspace.sources)
        with started(server, self.core):
            # Another thread reads the partners.
            time.sleep(_SETTLES_SECONDS)
            yield ServedState(keyspace, server.port, keys), server


def run(bench: Bench) -> Result:
    size = _QUICK if bench.quick else _FULL
    allow_open_files()
    server_core, other_core = two_cores()
    # This process and its children, except for the measured servers.
    with on_core(other_core), RedisServer(bench.directory / "redis") as redis:
        bench.say("publishing")
        keyspaces = _fill(redis.url, size)
        keys_file = bench.directory / "keys"
        keys = add_partners(keyspaces[-1], keys_file)
        wrk = load_generator(keys_file, keys)
        place = Place(bench, server_core, redis)
        figures = _memory(place, keyspaces)
        with place.served(keyspaces[-1], keys) as (served, _):
            facts = _facts(served, size, wrk)
            figures += _load(place, served, wrk, size)
            figures += _telling(place, served, size)
            figures += _without_redis(place, served, wrk, size)
        return Result(facts, figures)


def _facts(served: ServedState, size: _Size, wrk: Wrk | None) -> dict[str, object]:
    return {
        "schedules": len(served.keyspace.sources),
        "bytes of the document": len(served.keyspace.document(served.todays()[0])),
        "rows of the feed's page": size.rows,
        "load": "every status and the bytes of all answers were right" if wrk else _NO_WRK,
        "nginx": "one worker" if nginx_executable() else _NO_NGINX,
    }


def two_cores() -> tuple[int, int]:
    """One core for the server, one for everything else."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise WrongResult("server and load need a core each, and there is one in all")
    return cores[0], cores[1]


def allow_open_files() -> None:
    """Each of a thousand waiting partners needs a file at both ends of its connection."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if most == resource.RLIM_INFINITY else min(_OPEN_FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _fill(redis_url: str, size: _Size) -> list[Keyspace]:
    """Keyspaces without schedules, with half of them, and with all of them."""
    first = utc_now().date() - timedelta(days=1)
    return [fill(redis_url, f"bench-{days}", first, days, size.services) for days in (0, *size.days)]


def load_generator(keys_file: Path, keys: Sequence[str]) -> Wrk | None:
    executable = wrk_executable()
    return Wrk(executable, keys_file, keys[0]) if executable else None


def _memory(place: Place, keyspaces: Sequence[Keyspace]) -> list[Figure]:
    """The memory of a process that has read everything and has had no request."""
    held: dict[int, int] = {}
    for keyspace in keyspaces:
        schedules = len(keyspace.sources)
        place.bench.say(f"memory with {schedules:,} schedules")
        with place.served(keyspace, ()) as (_, server):
            held[schedules] = server.resident_bytes()
    most = max(held)
    return [
        *(Figure(f"memory, {schedules:,} schedules", "MB", [size / 1e6]) for schedules, size in held.items()),
        Figure("memory, a schedule", "kB", [(held[most] - held[0]) / most / 1e3]),
    ]


def _load(place: Place, served: ServedState, wrk: Wrk | None, size: _Size) -> list[Figure]:
    if wrk is None:
        return []
    place.bench.say("load")
    directory = place.bench.directory
    plan = LoadPlan(size.rows, size.connections, size.rounds, size.seconds)
    return measure_load(served, wrk, directory, place.core, plan)


def _telling(place: Place, served: ServedState, size: _Size) -> list[Figure]:
    place.bench.say("one stream")
    return uvloop.run(measure_one(served, size.changes))


def _without_redis(place: Place, served: ServedState, wrk: Wrk | None, size: _Size) -> list[Figure]:
    """Raises WrongResult if the answers are not marked as stale, or are not the same."""
    if wrk is None:
        return []
    place.bench.say("Redis gone")
    question = conditional_hit(served)
    before = [wrk.ask(question, _CONNECTIONS, size.seconds) for _ in range(size.rounds)]
    os.kill(place.redis.pid, signal.SIGKILL)
    _wait_for_the_mark(served, question.path)
    after = [wrk.ask(question, _CONNECTIONS, size.seconds) for _ in range(size.rounds)]
    return [
        Figure(f"{when}: conditional hit, {_CONNECTIONS} connections", "1/s", [one.rate for one in answers])
        for when, answers in (("Redis there", before), ("Redis gone, marked as stale", after))
    ]


def _wait_for_the_mark(served: ServedState, path: str) -> None:
    until = time.monotonic() + _STALE_WITHIN_SECONDS
    while served.get(path).headers.get("schedules-stale") != "?1":
        if time.monotonic() > until:
            raise WrongResult("Redis has gone, and the answers are not marked as stale")
        time.sleep(0.1)
