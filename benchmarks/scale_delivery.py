"""Delivery of many schedules: its start and its memory, digest and feed, and a partner's first synchronisation."""

import gzip
import http.client
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby, islice
from typing import Any

import orjson

from benchmarks.harness import Figure, WrongResult, milliseconds, timed
from benchmarks.scale_world import ScaledWorld
from benchmarks.web_servers import DeliveryServer
from demo.servers import LOOPBACK
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import utc_now
from schedules_pipeline.documents.cursors import parse_cursor, render_cursor
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.partners.partner import (
    MOST_REQUESTS_PER_DAY,
    MOST_REQUESTS_PER_MINUTE,
    RANDOM_BYTES,
    Partner,
    issue_key,
)

_PATIENCE_SECONDS = 900.0
_ROUNDS = 5
_SERVICES_AT_ONCE = 100
_SINGLE_READS = 2_000
_BULK_READS = 75
_SETTLES_SECONDS = 2.0


class _Reader:
    """A partner that may see everything, over one connection."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_PATIENCE_SECONDS)
        self._headers = {"Authorization": f"Bearer {key}", "Accept-Encoding": "gzip"}

    def get(self, path: str) -> bytes:
        """The plain body. Raises :class:`WrongResult` for another status than 200."""
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise WrongResult(f"{path} was answered with {answer.status}: {body[:200]!r}")
        return gzip.decompress(body) if answer.headers.get("Content-Encoding") == "gzip" else body


def measure_delivery(
    server: DeliveryServer, world: ScaledWorld, pipeline: Pipeline, change: Callable[[], object]
) -> list[Figure]:
    """``change``: publishes some schedules. The figures of a service that has not been started."""
    key = _add_partner(pipeline)
    began = time.perf_counter()
    with server:
        started, held = time.perf_counter() - began, server.resident_bytes()
        # Another thread reads the partners.
        time.sleep(_SETTLES_SECONDS)
        reader = _Reader(server.port, key)
        figures = [
            *_digests(reader, change),
            *_pages(reader, pipeline, change),
            *_synchronise(reader, world.keys),
        ]
        read = server.resident_bytes()
    return [
        Figure("delivery, until it serves everything", "s", [started]),
        Figure("… its memory then", "MB", [held / 1e6]),
        *figures,
        Figure("… its memory after all this", "MB", [read / 1e6]),
    ]


def _add_partner(pipeline: Pipeline) -> str:
    issued, now = issue_key(secrets.token_bytes(RANDOM_BYTES), utc_now()), utc_now()
    partner = Partner(
        "scale",
        now,
        is_preview=True,
        keys=(issued.key,),
        requests_per_minute=MOST_REQUESTS_PER_MINUTE,
        requests_per_day=MOST_REQUESTS_PER_DAY,
    )
    pipeline.store.partners.create(partner)
    return issued.text


def _digests(reader: _Reader, change: Callable[[], object]) -> Iterator[Figure]:
    first = timed(lambda: reader.get("/v1/digest"))
    body = reader.get("/v1/digest")
    changed = [timed(lambda: reader.get("/v1/digest")) for _ in range(_ROUNDS) if _done(change)]
    yield Figure("the first digest, which starts a rendering process", "ms", [first * 1_000])
    yield Figure("a digest after a change", "ms", milliseconds(changed))
    yield Figure("… plain", "MB", [len(body) / 1e6])


def _done(change: Callable[[], object]) -> bool:
    change()
    time.sleep(_SETTLES_SECONDS / 4)
    return True


def _pages(reader: _Reader, pipeline: Pipeline, change: Callable[[], object]) -> Iterator[Figure]:
    """The latest rows are in memory, the oldest in Redis."""
    latest = orjson.loads(reader.get("/v1/digest"))["cursor"]
    change()
    oldest = render_cursor(replace(parse_cursor(latest), position=pipeline.store.feed.complete_after()))
    time.sleep(_SETTLES_SECONDS)
    for name, cursor in (("a page of the latest changes", latest), ("a page of the oldest 1,000", oldest)):
        path = f"/v1/changes?since={cursor}&limit=1000"
        times = [timed(lambda: reader.get(path)) for _ in range(_ROUNDS)]  # noqa: B023 - called at once
        yield Figure(name, "ms", milliseconds(times))


def _synchronise(reader: _Reader, keys: Sequence[ScheduleKey]) -> Iterator[Figure]:
    single = [f"/v1/schedules/{key.sid}/{key.date}" for key in keys[:_SINGLE_READS]]
    bulk = list(islice(_bulk_paths(keys), _BULK_READS))
    seconds = timed(lambda: [reader.get(path) for path in single])
    yield Figure("first synchronisation, one schedule a request", "1/s", [len(single) / seconds])
    read: list[int] = []
    seconds = timed(lambda: read.extend(_count(reader.get(path)) for path in bulk))
    yield Figure(f"… {_SERVICES_AT_ONCE} services of a day a request", "schedules/s", [sum(read) / seconds])


def _bulk_paths(keys: Sequence[ScheduleKey]) -> Iterator[str]:
    for on, group in groupby(keys, lambda key: key.date):
        sids = [key.sid for key in group]
        for start in range(0, len(sids), _SERVICES_AT_ONCE):
            yield f"/v1/schedules?date={on}" + "".join(
                f"&sid={sid}" for sid in sids[start : start + _SERVICES_AT_ONCE]
            )


def _count(body: bytes) -> int:
    answer: Mapping[str, Any] = orjson.loads(body)
    return len(answer["schedules"])
