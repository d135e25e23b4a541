"""The delay from publication until waiting partners receive the change, for one partner and for a thousand.

It counts from the row in the feed by the clock of Redis, which is cut to milliseconds, so it may be one millisecond too
long. The waiting partners are in ``subscribers``.
"""

import asyncio
import time
from contextlib import suppress

from benchmarks.delivery_load import conditional_hit
from benchmarks.delivery_world import ServedState
from benchmarks.harness import Figure, WrongResult, milliseconds
from benchmarks.load import Answers, Wrk
from benchmarks.subscribers import Crowd, WaitingPartners
from benchmarks.web_servers import DeliveryServer
from schedules_pipeline.domain.identifiers import ScheduleKey

_HEARD_WITHIN_SECONDS = 30.0
_SETTLES_SECONDS = 1.0
_CONNECTIONS = 8


async def measure_one(served: ServedState, changes: int) -> list[Figure]:
    """One stream that fetches each announced version, which shows that it is served before it is announced."""
    heard, fetched = [], []
    cursor = served.keyspace.last_cursor()
    async with WaitingPartners(served.port, served.keys, cursor, polls=0, streams=1) as crowd:
        await asyncio.sleep(_SETTLES_SECONDS)
        for number in range(changes):
            key = _changing(served, number)
            published_at = await _publish(served, crowd, key)
            await asyncio.to_thread(_fetch, served, key, crowd.awaited.seq)
            heard.append(crowd.heard_at[0] - published_at)
            fetched.append(time.time() - published_at)
    return [
        Figure("published to heard by a stream", "ms", milliseconds(heard)),
        Figure("published to fetched by who heard", "ms", milliseconds(fetched)),
    ]


async def measure_many(
    served: ServedState,
    server: DeliveryServer,
    wrk: Wrk | None,
    *,
    waiting: int,
    changes: int,
    pause_seconds: float,
) -> list[Figure]:
    """Half of them wait by long polls, half on streams. Raises :class:`WrongResult` where one is lost on the way, or
    does not hear of a version once.
    """
    cursor = served.keyspace.last_cursor()
    polls = waiting // 2
    async with WaitingPartners(
        served.port, served.keys, cursor, polls=polls, streams=waiting - polls
    ) as crowd:
        await asyncio.sleep(_SETTLES_SECONDS)
        memory = server.resident_bytes()
        quiet = await _hits(served, wrk, 2)
        busy = asyncio.ensure_future(_hits(served, wrk, max(1, round(changes * pause_seconds))))
        each, last = [], []
        for number in range(changes):
            await asyncio.sleep(pause_seconds)
            published_at = await _publish(served, crowd, _changing(served, number))
            delays = [at - published_at for at in crowd.heard_at]
            each += delays
            last.append(max(delays))
        under_load = await busy
        if crowd.lost:
            raise WrongResult(f"{crowd.lost} of {waiting} who waited were lost")
    who = f"{waiting:,} waiting"
    return [
        Figure(f"{who}, memory", "MB", [memory / 1e6]),
        Figure(f"{who}, published to heard, each", "ms", milliseconds(each)),
        Figure(f"{who}, published to heard, the last", "ms", milliseconds(last)),
        *_answered(f"{who} quietly", quiet),
        *_answered(f"{who}, a change every second", under_load, goal=50.0),
    ]


def _changing(served: ServedState, number: int) -> ScheduleKey:
    """Each of today's schedules in turn, except the one that the load asks for."""
    others = served.todays()[1:]
    return others[number % len(others)]


async def _publish(served: ServedState, crowd: Crowd, key: ScheduleKey) -> float:
    """Publish one version and wait until all have received it. Returns the moment of publication."""
    crowd.await_version(served.keyspace.next_version(key))
    published_at = await asyncio.to_thread(served.keyspace.change, key)
    with suppress(TimeoutError):
        await asyncio.wait_for(crowd.is_heard_by_all.wait(), _HEARD_WITHIN_SECONDS)
    if len(crowd.heard_at) != crowd.size or crowd.lost:
        raise WrongResult(
            f"{len(crowd.heard_at)} of {crowd.size} heard of {crowd.awaited}, {crowd.lost} were lost"
        )
    return published_at


def _fetch(served: ServedState, key: ScheduleKey, seq: int) -> None:
    answer = served.get(f"/v1/schedules/{key}", Accept_Encoding="gzip")
    tag = answer.headers.get("etag", "")
    if answer.status != 200 or f".{seq}." not in tag:
        raise WrongResult(f"{key} was fetched as {tag}, which is not version {seq}")


async def _hits(served: ServedState, wrk: Wrk | None, seconds: int) -> Answers | None:
    if wrk is None:
        return None
    question = conditional_hit(served)
    return await asyncio.to_thread(wrk.ask, question, _CONNECTIONS, seconds)


def _answered(when: str, answers: Answers | None, goal: float | None = None) -> list[Figure]:
    if answers is None:
        return []
    return [
        Figure(f"{when}: conditional hit, {_CONNECTIONS} connections", "1/s", [answers.rate]),
        Figure(f"{when}: conditional hit, {_CONNECTIONS} connections, p99", "ms", [answers.p99], goal),
    ]
