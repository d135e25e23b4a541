"""What runs in the soak: Redis, delivery, pusher and monitoring as processes; in this process the pipeline, a partner
that follows over HTTP, and a subscriber of webhooks.

The pipeline's clock is accelerated. Redis and Dagster have the real time, so what they compare with it is scaled: the
lives of keys, and the moments before which rows and runs are deleted.
"""

import http.client
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, cast

import dagster as dg
import orjson
from pydantic import SecretStr
from redis import Redis

from benchmarks.dagster_records import hasty_files
from benchmarks.engine import DocumentsInMemory
from benchmarks.harness import WrongResult
from benchmarks.world import source_documents, used_pids, whole_sample, write_catalogue
from demo.delivery_service import DeliveryService, PushService
from demo.monitoring_service import MonitoringService
from demo.partner_side import enter_partner, subscribe
from demo.sample import Document, Sample
from demo.servers import LOOPBACK, LoopbackServer, RedisServer
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import build_pipeline, policies_from, redis_store
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.maintenance.collect_garbage import RetentionPeriods
from schedules_pipeline.publishing.ports.feed import ChangeFeed
from schedules_pipeline.publishing.ports.upstream import NotificationQueue, Outgoing
from schedules_pipeline.push.subscription import SubscriptionKind
from schedules_pipeline.settings import Settings
from schedules_pipeline.store import copies
from schedules_pipeline.store.link import RedisLink, connect
from schedules_pipeline.store.schedules import StorageForm

FIRST = date(2026, 6, 1)
A_DAY = timedelta(days=1)
AHEAD = 5
"""Days before its broadcast day on which a schedule appears."""
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Plan:
    """``kept_days``: of feed, removals, schedules, rejections and Dagster's runs alike; half as many of versions.

    ``changes``: puts and changed items in a day, of each as many. ``garbage``: rejected messages in a day.
    ``tolerance``: the growth after the warm-up that counts as flat, as a share of the median.
    """

    days: int
    day_seconds: float
    warm_up_days: int
    kept_days: int
    services: int = 4
    changes: int = 40
    garbage: int = 300
    tolerance: float = 0.05


class AcceleratedTime:
    """A simulated day begins when the previous one has ended, and lasts at least ``day_seconds``."""

    def __init__(self, day_seconds: float) -> None:
        self._day_seconds = day_seconds
        self._began = [time.time()]

    @property
    def today(self) -> date:
        return FIRST + A_DAY * (len(self._began) - 1)

    def now(self) -> datetime:
        passed = min((time.time() - self._began[-1]) / self._day_seconds, 0.999)
        return datetime.combine(self.today, datetime.min.time(), UTC) + A_DAY * passed

    def real(self, at: datetime) -> datetime:
        """The real time of a simulated instant; that of the beginning for an earlier one."""
        days = (at - datetime.combine(FIRST, datetime.min.time(), UTC)) / A_DAY
        if days < 0:
            return datetime.fromtimestamp(self._began[0] - 1, UTC)
        number = min(int(days), len(self._began) - 1)
        return datetime.fromtimestamp(self._began[number] + (days - number) * self._day_seconds, UTC)

    def scaled(self, length: timedelta) -> timedelta:
        return timedelta(seconds=max(1.0, length / A_DAY * self._day_seconds))

    def end_day(self) -> None:
        time.sleep(max(0.0, self._began[-1] + self._day_seconds - time.time()))
        self._began.append(time.time())


class _FeedInRealTime:
    """The change feed, trimmed at the real time of a simulated instant, because Redis numbers rows by its own time."""

    def __init__(self, feed: Any, real: Callable[[datetime], datetime]) -> None:
        self._feed, self._real = feed, real

    def trim(self, before: datetime) -> int:
        return int(self._feed.trim(self._real(before)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._feed, name)


class _Discarded:
    """A dead-letter queue that keeps nothing."""

    def send(self, messages: Sequence[Outgoing]) -> None:
        pass


class _Subscriber(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


class Partner:
    """Follows as docs/partners/follow.md says, and holds versions, not documents."""

    def __init__(self, port: int, key: str) -> None:
        self._port, self._key = port, key
        self._cursor = ""
        self.held: dict[str, int] = {}

    def catch_up(self) -> None:
        if not self._cursor:
            self._start()
        while True:
            status, page = self._get(f"/v1/changes?since={self._cursor}")
            if status == HTTPStatus.GONE:
                self._start()
                continue
            for change in page["changes"]:
                self._update(change)
            self._cursor = page["cursor"]
            if not page["changes"]:
                return

    def _start(self) -> None:
        _, digest = self._get("/v1/digest")
        self._cursor = digest["cursor"]
        entries = [(sid, entry) for sid, found in digest["services"].items() for entry in found]
        self.held = {f"{sid}/{e['date']}": e["seq"] for sid, e in entries if not e["removed"]}

    def _update(self, change: Mapping[str, Any]) -> None:
        key = f"{change['sid']}/{change['date']}"
        if change["removed"]:
            self.held.pop(key, None)
        else:
            self.held[key] = change["seq"]
            self._get(change["href"])

    def _get(self, path: str) -> tuple[int, Any]:
        status, body = fetch(self._port, path, {"Authorization": f"Bearer {self._key}"})
        return status, orjson.loads(body)


def fetch(port: int, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    """The status and the body of an answer from loopback."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", path, headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@dataclass(slots=True)
class Sources:
    """What the pipeline reads. ``sample``: the documents of all days; ``documents``: those in the bucket now."""

    sample: Mapping[ScheduleKey, bytes]
    items: Sequence[Document]
    documents: dict[ScheduleKey, bytes]


@dataclass(frozen=True, slots=True)
class System:
    """What runs. ``servers``: the processes, by what they are called in the table."""

    clock: AcceleratedTime
    sources: Sources
    partner: Partner
    pipeline: Pipeline
    redis: Redis
    instance: dg.DagsterInstance
    storage: Path
    servers: Mapping[str, LoopbackServer]


# Opening


@contextmanager
def running_system(directory: Path, plan: Plan) -> Iterator[System]:
    """Everything started, over an empty keyspace."""
    sample = whole_sample(FIRST, plan.days + AHEAD + 1, plan.services)
    sources = _sources(sample)
    clock = AcceleratedTime(plan.day_seconds)
    copies.TOKEN_KEPT_FOR = clock.scaled(A_DAY)
    with ExitStack() as stack:
        server = stack.enter_context(RedisServer(directory / "redis"))
        stack.enter_context(hasty_files())
        redis = Redis.from_url(server.url, protocol=2)
        write_catalogue(redis, sources.items)
        pipeline = _pipeline(server.url, plan, clock, sources)
        pipeline.store.coldstarts.begin_epoch("soak")
        issued = enter_partner(pipeline.store.partners, datetime.now(UTC))
        subscribe(pipeline.store, SubscriptionKind.WEBHOOK, _subscriber(stack), lambda: datetime.now(UTC))
        delivery, pusher, monitoring = _servers(stack, directory, server.url)
        storage = directory / "dagster"
        storage.mkdir()
        instance = stack.enter_context(dg.DagsterInstance.local_temp(str(storage)))
        servers = {"delivery": delivery, "pusher": pusher, "monitoring": monitoring}
        partner = Partner(delivery.port, issued.text)
        _wait_until(lambda: delivery.admits(issued.text))
        yield System(clock, sources, partner, pipeline, redis, instance, storage, servers)


def _sources(sample: Sample) -> Sources:
    used = used_pids(sample.catalogue, sample.schedules.values())
    items = [document for pid, document in sorted(sample.catalogue.items()) if pid in used]
    return Sources(source_documents(sample), items, {})


def _pipeline(url: str, plan: Plan, clock: AcceleratedTime, sources: Sources) -> Pipeline:
    settings = Settings(redis_url=SecretStr(url), retention_days=plan.kept_days, reconcile_grace_seconds=0)
    built = build_pipeline(settings)
    link = RedisLink(connect(url))
    versions_kept_for = clock.scaled(A_DAY * plan.kept_days / 2)
    store = redis_store(link, settings.keyspace, StorageForm(versions_kept_for=versions_kept_for))
    feed = cast("ChangeFeed", _FeedInRealTime(store.feed, clock.real))
    discarded = cast("NotificationQueue", _Discarded())
    upstreams = replace(
        built.upstreams,
        schedule_source=DocumentsInMemory(sources.documents),
        schedule_dead_letters=discarded,
        catalogue_dead_letters=discarded,
    )
    kept = timedelta(days=plan.kept_days)
    policies = replace(policies_from(settings), kept_for=RetentionPeriods(kept, kept, kept))
    return Pipeline(replace(store, feed=feed), upstreams, built.calendar, clock.now, policies)


def _servers(
    stack: ExitStack, directory: Path, url: str
) -> tuple[DeliveryService, PushService, MonitoringService]:
    environment = {
        "SCHEDULES_REDIS_URL": url,
        "SCHEDULES_WEBHOOK_MASTER_SECRET": "a master secret that is no secret at all",
        "SCHEDULES_PUSH_ALLOWED_NETWORKS": '["127.0.0.0/8"]',
        "SCHEDULES_PUSH_HEARTBEAT_FILE": str(directory / "heartbeat"),
        # Nothing listens there, so the queues do not answer, at once.
        "SCHEDULES_AWS_ENDPOINT_URL": f"http://{LOOPBACK}:9",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
    }
    return (
        stack.enter_context(DeliveryService(directory / "delivery", environment)),
        stack.enter_context(PushService(directory / "pusher", environment)),
        stack.enter_context(MonitoringService(directory / "monitoring", environment)),
    )


def _subscriber(stack: ExitStack) -> str:
    """A receiver of webhooks in a thread of this process. Returns its address."""
    server = ThreadingHTTPServer((LOOPBACK, 0), _Subscriber)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    stack.callback(server.server_close)
    stack.callback(server.shutdown)
    return f"http://{LOOPBACK}:{server.server_port}/changes"


def _wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_true():
        if time.monotonic() > deadline:
            raise WrongResult("delivery did not answer")
        time.sleep(0.1)
