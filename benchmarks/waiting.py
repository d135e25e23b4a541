"""A thousand partners that wait for changes: how late the last one hears, and what it costs the requests of others.

Half of them wait by long polls, half on streams. Others send conditional hits over eight connections, first while
nothing changes, then with a change that all hear every second. ``delivery_telling`` does the measurements.
"""

from dataclasses import dataclass

import uvloop

from benchmarks.delivery import Place, allow_open_files, load_generator, two_cores
from benchmarks.delivery_telling import measure_many
from benchmarks.delivery_world import add_partners, fill
from benchmarks.harness import Bench, Result
from benchmarks.web_servers import on_core
from demo.servers import RedisServer
from schedules_pipeline.connections import utc_now


@dataclass(frozen=True, slots=True)
class _Size:
    """``pause_seconds``: between changes."""

    services: int
    days: int
    waiting: int
    changes: int
    pause_seconds: float


_FULL = _Size(services=44, days=5, waiting=1_000, changes=20, pause_seconds=1.0)
_QUICK = _Size(services=6, days=2, waiting=20, changes=3, pause_seconds=0.1)


def run(bench: Bench) -> Result:
    size = _QUICK if bench.quick else _FULL
    allow_open_files()
    server_core, other_core = two_cores()
    with on_core(other_core), RedisServer(bench.directory / "redis") as redis:
        bench.say("publishing")
        keyspace = fill(redis.url, "bench", utc_now().date(), size.days, size.services)
        keys_file = bench.directory / "keys"
        keys = add_partners(keyspace, keys_file)
        wrk = load_generator(keys_file, keys)
        with Place(bench, server_core, redis).served(keyspace, keys) as (served, server):
            bench.say(f"{size.waiting:,} waiting")
            figures = uvloop.run(
                measure_many(
                    served,
                    server,
                    wrk,
                    waiting=size.waiting,
                    changes=size.changes,
                    pause_seconds=size.pause_seconds,
                )
            )
        return Result({"waiting": "each heard of every change once"}, figures)
