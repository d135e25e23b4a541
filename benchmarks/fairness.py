"""One partner's latency, alone and beside another partner that sends one kind of expensive request without a pause.

The victim asks for conditional hits and, every fifth time, for a whole document, at a steady rate. Its latency counts
from the moment at which a request is due, so a service that stalls makes all requests behind it late. Beside each kind
of neighbour its 99th percentile may be 1.5 times that of the turn alone before it, or 10 ms more. A second neighbour
has no limit of its rate, which shows what the limits add. The service shares the machine with the load.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil
from statistics import median

import uvloop

from benchmarks.delivery_world import Keyspace, ServedState, add_partner, add_partners, fill
from benchmarks.harness import Bench, Figure, Result, WrongResult
from benchmarks.neighbour import CONNECTIONS, KINDS, Target
from benchmarks.web_servers import DeliveryServer
from demo.servers import LOOPBACK, RedisServer
from schedules_pipeline.connections import utc_now
from schedules_pipeline.partners.partner import Partner

_TIMES, _MORE_MILLISECONDS = 1.5, 10.0
_WHOLE_DOCUMENT_EVERY = 5
_VICTIM_CONNECTIONS = 8
_SETTLES_SECONDS = 1.0
_FEED_ROWS = 1_000
_EXPECTED = (200, 404, 429, 503)
"""404: a small run publishes few of the days."""


@dataclass(frozen=True, slots=True)
class _Size:
    services: int
    days: int
    rate: int
    seconds: float
    rounds: int


_FULL = _Size(services=44, days=30, rate=200, seconds=3.0, rounds=3)
_QUICK = _Size(services=6, days=3, rate=50, seconds=0.5, rounds=1)


@dataclass(frozen=True, slots=True)
class _Neighbour:
    kind: str
    key: str
    target: Target


@dataclass(frozen=True, slots=True)
class _Turn:
    """The victim's latencies in milliseconds: ``alone``, ``beside`` a neighbour within the default limits, and beside
    an ``unlimited`` one. ``answered`` and ``rejected``: requests of the limited neighbour a second.
    """

    alone: Sequence[float]
    beside: Sequence[float]
    unlimited: Sequence[float]
    answered: float
    rejected: float

    @property
    def excess(self) -> float:
        """What the neighbour adds to the 99th percentile, as a share of what it may add: at most 1."""
        alone, beside = _p99(self.alone), _p99(self.beside)
        return beside / max(_TIMES * alone, alone + _MORE_MILLISECONDS)


def run(bench: Bench) -> Result:
    size = _QUICK if bench.quick else _FULL
    with RedisServer(bench.directory / "redis") as redis:
        bench.say("publishing")
        first = utc_now().date() - timedelta(days=2 * size.days // 3)
        keyspace = fill(redis.url, "bench", first, size.days, size.services)
        keys = add_partners(keyspace, bench.directory / "keys")
        # A partner's limit allows a burst, so each turn has a neighbour that has asked for nothing yet.
        turns = [(kind, number) for number in range(size.rounds) for kind in KINDS]
        neighbours = (
            Partner(f"neighbour-{number}", utc_now(), is_preview=True) for number in range(len(turns))
        )
        limited = [add_partner(keyspace, neighbour) for neighbour in neighbours]
        with _served(bench, redis.url, keyspace, keys) as (served, server):
            target = _target(keyspace)
            measured: dict[str, list[_Turn]] = {kind: [] for kind in KINDS}
            for (kind, number), key in zip(turns, limited, strict=True):
                bench.say(f"{kind}, round {number + 1}")
                measured[kind].append(_turn(served, size, _Neighbour(kind, key, target)))
            facts = {
                "schedules": len(keyspace.sources),
                "neighbour": f"{CONNECTIONS} connections without a pause",
                "memory of the answering process, MB": server.resident_bytes() / 1e6,
                "of each rendering process, MB": [
                    round(size / 1e6) for size in server.resident_bytes_of_children()
                ],
            }
        return Result(facts, [figure for kind, found in measured.items() for figure in _figures(kind, found)])


@contextmanager
def _served(
    bench: Bench, redis_url: str, keyspace: Keyspace, keys: Sequence[str]
) -> Iterator[tuple[ServedState, DeliveryServer]]:
    settings = {"SCHEDULES_REDIS_URL": redis_url, "SCHEDULES_KEYSPACE": keyspace.name}
    with DeliveryServer(bench.directory / "delivery", settings) as server:
        time.sleep(_SETTLES_SECONDS)
        yield ServedState(keyspace, server.port, keys), server


def _target(keyspace: Keyspace) -> Target:
    """A cursor near the feed's end, and the brand that most schedules show."""
    store = keyspace.pipeline.store
    counts: Counter[str] = Counter()
    for document in store.schedules.documents(list(keyspace.sources)[:200]).values():
        counts.update({b["brand"]["pid"] for b in json.loads(document)["broadcasts"] if b.get("brand")})
    rows = min(_FEED_ROWS, len(keyspace.sources) - 1)
    return Target(keyspace.cursor_before(rows), counts.most_common(1)[0][0], min(keyspace.sources).sid)


def _turn(served: ServedState, size: _Size, limited: _Neighbour) -> _Turn:
    alone = uvloop.run(_measure(served, size))
    beside, answered, rejected = _beside(served, size, limited)
    unlimited, _, _ = _beside(served, size, replace(limited, key=served.keys[1]))
    return _Turn(alone, beside, unlimited, answered, rejected)


def _beside(served: ServedState, size: _Size, neighbour: _Neighbour) -> tuple[list[float], float, float]:
    """The victim's latencies; and how many of the neighbour's requests a second were answered, and rejected."""
    seconds = size.seconds + _SETTLES_SECONDS
    arguments = [neighbour.kind, str(served.port), neighbour.key, str(seconds), *neighbour.target]
    asking = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.neighbour", *arguments], stdout=subprocess.PIPE
    )
    time.sleep(_SETTLES_SECONDS)
    latencies = uvloop.run(_measure(served, size))
    out, _ = asking.communicate(timeout=120)
    statuses = {int(status): count for status, count in json.loads(out).items()}
    if other := {status for status in statuses if status not in _EXPECTED}:
        raise WrongResult(f"{neighbour.kind}: answered with {other}")
    rejected = statuses.get(429, 0) + statuses.get(503, 0)
    return latencies, (sum(statuses.values()) - rejected) / seconds, rejected / seconds


async def _measure(served: ServedState, size: _Size) -> list[float]:
    """The latencies of the victim's requests, in milliseconds, in the order of their answers."""
    path = f"/v1/schedules/{served.todays()[0]}"
    tag = served.get(path).headers["etag"]
    head = f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nAuthorization: Bearer {served.keys[0]}\r\n"
    hit, whole = f"{head}If-None-Match: {tag}\r\n\r\n", f"{head}Accept-Encoding: gzip\r\n\r\n"
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(_VICTIM_CONNECTIONS):
        free.put_nowait(await asyncio.open_connection(LOOPBACK, served.port))
    latencies: list[float] = []
    begin, number_of = time.perf_counter() + 0.01, int(size.rate * size.seconds)

    async def ask(number: int) -> None:
        due = begin + number / size.rate
        await asyncio.sleep(due - time.perf_counter())
        reader, writer = await free.get()
        writer.write((hit if number % _WHOLE_DOCUMENT_EVERY else whole).encode())
        await _take_answer(reader)
        latencies.append((time.perf_counter() - due) * 1_000)
        free.put_nowait((reader, writer))

    await asyncio.gather(*(ask(number) for number in range(number_of)))
    while not free.empty():
        free.get_nowait()[1].close()
    return latencies


async def _take_answer(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if not head.startswith((b"http/1.1 200", b"http/1.1 304")):
        raise WrongResult(f"the victim was answered with {head[:60]!r}")
    _, found, rest = head.partition(b"content-length: ")
    if found:
        await reader.readexactly(int(rest.partition(b"\r\n")[0]))


def _p99(latencies: Sequence[float]) -> float:
    return sorted(latencies)[ceil(len(latencies) * 0.99) - 1]


def _figures(kind: str, turns: Sequence[_Turn]) -> list[Figure]:
    return [
        Figure(f"{kind}: p50 alone", "ms", [median(turn.alone) for turn in turns]),
        Figure(f"{kind}: p50 beside it", "ms", [median(turn.beside) for turn in turns]),
        Figure(f"{kind}: p50 beside it, unlimited", "ms", [median(turn.unlimited) for turn in turns]),
        Figure(f"{kind}: p99 alone", "ms", [_p99(turn.alone) for turn in turns]),
        Figure(f"{kind}: p99 beside it", "ms", [_p99(turn.beside) for turn in turns]),
        Figure(f"{kind}: p99 beside it, unlimited", "ms", [_p99(turn.unlimited) for turn in turns]),
        Figure(f"{kind}: p99 beside it / allowed", "×", [turn.excess for turn in turns], goal=1.0),
        Figure(f"{kind}: answered to the neighbour", "1/s", [turn.answered for turn in turns]),
        Figure(f"{kind}: rejected", "1/s", [turn.rejected for turn in turns]),
    ]
