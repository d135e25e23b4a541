"""How late a webhook's receiver hears of versions under 20 changes a second, by the time it takes for an answer.

Each change makes five versions. The push process and Redis are real, and the receiver is an HTTP server that sleeps.
The goal is the guarantee of ``docs/partners/webhooks.md``, computed for each version from what the receiver lacked when
the version was published.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import ceil
from statistics import median
from threading import Lock, Thread
from typing import Any

import orjson
from redis import Redis

from benchmarks.harness import Bench, Figure, Result, WrongResult
from demo.servers import LOOPBACK, RedisServer
from schedules_pipeline.composition import Store
from schedules_pipeline.connections import redis_store, utc_now
from schedules_pipeline.documents.change_row import render_row
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.migration.ports import ServedSource, ServedState
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.push.manage_subscriptions import SubscriptionAdmin
from schedules_pipeline.push.subscription import Subscription, SubscriptionKind
from schedules_pipeline.store.link import RedisLink

_ANSWERS_SECONDS = (0.05, 0.3, 2.0)
_CONCURRENCY, _BATCH = 4, 25
_CHANGES_A_SECOND, _VERSIONS_EACH = 20, 5
_LONGEST_DRAIN_SECONDS = 90.0


@dataclass
class _Receiver:
    """``arrived``: what it accepted when, in order. ``held``: the newest version of each schedule."""

    answers_after: float
    arrived: list[tuple[str, int, float]] = field(default_factory=list)
    held: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    lock: Lock = field(default_factory=Lock)

    def accept(self, body: bytes) -> None:
        time.sleep(self.answers_after)
        now = time.monotonic()
        with self.lock:
            self.requests += 1
            for event in orjson.loads(body)["data"]["events"]:
                key, seq = f"{event['data']['sid']}/{event['data']['date']}", event["data"]["seq"]
                if seq <= self.held.get(key, 0):
                    raise WrongResult(f"{key} {seq} came after {self.held[key]}")
                self.held[key] = seq
                self.arrived.append((key, seq, now))


@contextmanager
def _listening(receiver: _Receiver) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            receiver.accept(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
            pass

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://{LOOPBACK}:{server.server_port}/"
    server.shutdown()


@contextmanager
def _pushing(bench: Bench, url: str, keyspace: str) -> Iterator[None]:
    environment = {
        **os.environ,
        "SCHEDULES_REDIS_URL": url,
        "SCHEDULES_KEYSPACE": keyspace,
        "SCHEDULES_WEBHOOK_MASTER_SECRET": "the master secret of a benchmark",
        "SCHEDULES_PUSH_ALLOWED_NETWORKS": '["127.0.0.1"]',
    }
    with (bench.directory / f"{keyspace}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "schedules_pipeline.push"], env=environment, stderr=log, stdout=log
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


@dataclass(frozen=True, slots=True)
class _Version:
    """``missing``: the schedules whose newest version the receiver lacked when this one was published."""

    key: str
    seq: int
    at: float
    missing: int

    def promised(self, answers_after: float) -> float:
        """Requests that were under way take one more."""
        return (1 + ceil(self.missing / (_CONCURRENCY * _BATCH))) * answers_after


def _prepare(store: Store, address: str) -> None:
    now = utc_now()
    store.coldstarts.begin_epoch("first")
    store.served.change(ServedState(1, ServedSource.OURS, now, "benchmark", "", None, forced=False))
    store.partners.create(Partner("harbour", now, ("*",)))
    made = Subscription("harbour-webhook", "harbour", SubscriptionKind.WEBHOOK, address, now)
    SubscriptionAdmin(store, utc_now).register(made.configured(None, _CONCURRENCY, _BATCH))


def _row(key: ScheduleKey, seq: int) -> tuple[ScheduleKey, int, bytes]:
    return key, seq, render_row(Change(seq, key, f"{seq:032x}", utc_now(), 1, 1, True, 1.0, (), 0, ""))


def _await(receiver: _Receiver, seqs: dict[str, int]) -> None:
    """Wait until the receiver has everything."""
    deadline = time.monotonic() + _LONGEST_DRAIN_SECONDS
    while receiver.held != seqs:
        if time.monotonic() > deadline:
            raise WrongResult("the receiver did not get every schedule's newest version")
        time.sleep(0.02)


def _publish(store: Store, receiver: _Receiver, seconds: float, keys: list[ScheduleKey]) -> list[_Version]:
    seqs = {str(keys[0]): 1}
    store.feed.append([_row(keys[0], 1)])
    _await(receiver, seqs)
    published = []
    began, chosen = time.monotonic(), random.Random(1)
    for number in range(round(seconds * _CHANGES_A_SECOND)):
        time.sleep(max(0.0, began + number / _CHANGES_A_SECOND - time.monotonic()))
        for key in chosen.sample(keys, _VERSIONS_EACH):
            seq = seqs[str(key)] = seqs.get(str(key), 0) + 1
            store.feed.append([_row(key, seq)])
            with receiver.lock:
                missing = sum(newest > receiver.held.get(each, 0) for each, newest in seqs.items())
            published.append(_Version(str(key), seq, time.monotonic(), missing))
    _await(receiver, seqs)
    return published


def _figures(receiver: _Receiver, published: list[_Version]) -> tuple[list[Figure], dict[str, Any]]:
    after = receiver.answers_after
    arrivals: dict[str, list[tuple[int, float]]] = {}
    for key, seq, at in receiver.arrived:
        arrivals.setdefault(key, []).append((seq, at))
    lags, beyond = [], []
    for each in published:
        arrival = next(at for seq, at in arrivals[each.key] if seq >= each.seq)
        lags.append(arrival - each.at)
        beyond.append(arrival - each.at - each.promised(after))
    promised = median(each.promised(after) for each in published)
    facts = {
        f"at {after:g} s": f"{len(published)} versions, {len(receiver.arrived)} sent in {receiver.requests} requests; "
        f"at most {max(each.missing for each in published)} schedules outstanding; latest {max(lags):.2f} s; "
        f"{sum(each > 0 for each in beyond)} versions beyond the promise, by {max(0.0, *beyond):.2f} s at most"
    }
    return [Figure(f"lag at {after:g} s an answer", "s", lags, promised)], facts


def run(bench: Bench) -> Result:
    figures: list[Figure] = []
    facts: dict[str, Any] = {"subscription": f"{_CONCURRENCY} requests at once, batches of {_BATCH}"}
    first = date(2026, 3, 1)
    services, days, seconds = (4, 5, 2.0) if bench.quick else (44, 30, 20.0)
    keys = [
        ScheduleKey(Sid(f"service_{service}"), first + timedelta(days=day))
        for service in range(services)
        for day in range(days)
    ]
    with RedisServer(bench.directory / "redis") as redis:
        for number, after in enumerate(_ANSWERS_SECONDS):
            bench.say(f"answers after {after:g} s")
            keyspace, receiver = f"lag{number}", _Receiver(after)
            store = redis_store(RedisLink(Redis.from_url(redis.url)), keyspace)
            with _listening(receiver) as address:
                _prepare(store, address)
                with _pushing(bench, redis.url, keyspace):
                    more, told = _figures(receiver, _publish(store, receiver, seconds, keys))
            figures, facts = figures + more, {**facts, **told}
    return Result(facts, figures)
