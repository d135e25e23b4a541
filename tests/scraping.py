"""A pipeline over fakes, and the metrics of a scrape of it."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import orjson
from fakes import FakeClock, FakeStore, FakeUpstreams, fake_store, fake_upstreams, pipeline_over
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.health.metrics.collector import PipelineCollector
from schedules_pipeline.health.metrics.parts import Part, parts_of
from schedules_pipeline.publishing.intake import ingest

KEY = ScheduleKey(Sid("alder_one"), date(2026, 3, 28))


class Stage:
    """One schedule with a source, not announced yet."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store: FakeStore = fake_store(self.clock)
        self.upstreams: FakeUpstreams = fake_upstreams(self.clock, Random(0))
        self.pipeline: Pipeline = pipeline_over(self.store.as_store(), self.upstreams, self.clock)
        self.store.coldstarts.begin_epoch("scraped")
        self.upstreams.schedule_source.put(KEY, orjson.dumps(_source()))

    def announce(self) -> None:
        self.upstreams.schedule_queue.post(json.dumps({"sid": KEY.sid, "date": KEY.date.isoformat()}))

    def ingest(self) -> None:
        ingest(self.upstreams.schedule_queue, self.pipeline.schedule_intake.handle, 0)
        ingest(self.upstreams.catalogue_queue, self.pipeline.catalogue_intake.handle, 0)

    def publish(self) -> None:
        self.announce()
        self.ingest()
        self.pipeline.publisher.publish_all()

    def scrape(self) -> "Scrape":
        return Scrape(PipelineCollector(self.parts()))

    def parts(self) -> Mapping[str, Part]:
        return parts_of(self.pipeline.health)


class Scrape:
    """The series of one scrape."""

    def __init__(self, collector: PipelineCollector) -> None:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(collector)
        self.samples = [sample for family in registry.collect() for sample in family.samples]

    def value(self, name: str, /, **labels: str) -> float | None:
        """The value of the one series with this name and exactly these labels; None if there is no such series."""
        found = [s.value for s in self.samples if s.name == name and s.labels == labels]
        assert len(found) <= 1
        return found[0] if found else None

    def failed_parts(self) -> set[str]:
        return {s.labels["part"] for s in self.samples if s.name == "schedules_scrape_errors" and s.value}


def get(app: Starlette, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str, bytes]:
    """Ask an application as a server would, without one: status, content type and body."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "headers": raw,
    }
    asyncio.run(app(scope, receive, send))
    answer = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], answer["content-type"], body


def _source() -> dict[str, object]:
    start = datetime(2026, 3, 28, 12, tzinfo=UTC)
    end = start + timedelta(hours=1)
    broadcast = {"broadcast_pid": "p00000001", "start": start.isoformat(), "end": end.isoformat()}
    day = {"sid": KEY.sid, "date": KEY.date.isoformat(), "published_at": start.isoformat()}
    return {**day, "broadcasts": [broadcast]}
