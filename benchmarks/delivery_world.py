"""Fills Redis for the measurements of delivery: published schedules, partners with keys, and further changes."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import orjson
from redis import Redis

from benchmarks.engine import DocumentsInMemory, make_engine, rebuild_everything
from benchmarks.harness import WrongResult
from benchmarks.subscribers import Version
from benchmarks.web_servers import Answer, get
from benchmarks.world import source_documents, whole_sample, write_catalogue
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import utc_now
from schedules_pipeline.documents.cursors import FeedCursor, render_cursor
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.partners.partner import (
    MOST_REQUESTS_PER_DAY,
    MOST_REQUESTS_PER_MINUTE,
    MOST_WAITING_AT_ONCE,
    RANDOM_BYTES,
    Partner,
    issue_key,
)
from schedules_pipeline.publishing.ports.schedules import Outcome

_PARTNERS = 50
"""Enough for the load: each partner may send a thousand requests a second."""


@dataclass(frozen=True, slots=True)
class Keyspace:
    """Published schedules, and functions that publish further versions."""

    name: str
    pipeline: Pipeline
    sources: dict[ScheduleKey, bytes]

    def cursor_before(self, rows: int) -> str:
        """The cursor with exactly ``rows`` rows after it."""
        entries = self.pipeline.store.feed.read_after("0", 100_000)
        return render_cursor(FeedCursor(self._epoch(), entries[-rows - 1].position))

    def last_cursor(self) -> str:
        return render_cursor(FeedCursor(self._epoch(), self.pipeline.store.feed.last_position()))

    def document(self, key: ScheduleKey) -> bytes:
        return self.pipeline.store.schedules.documents([key])[key]

    def next_version(self, key: ScheduleKey) -> Version:
        """The version that :meth:`change` publishes next."""
        return Version(str(key), self.pipeline.store.feed.heads_of([key])[key].seq + 1)

    def change(self, key: ScheduleKey) -> float:
        """One of its broadcasts is audio described from now on, or is no more. Gives the moment (seconds since 1970)
        at which the row was appended to the feed, by the clock of Redis, which counts whole milliseconds.
        """
        schedule = orjson.loads(self.sources[key])
        first = schedule["broadcasts"][0]
        first["is_audio_described"] = not first["is_audio_described"]
        self.sources[key] = orjson.dumps(schedule)
        cause = Cause("benchmark", Origin.SCHEDULE, str(key), utc_now())
        batch = self.pipeline.publisher.rebuild_from_sources([key], cause)
        if batch.count(Outcome.PUBLISHED) != 1:
            raise WrongResult(f"{key} was changed and not published")
        return int(self.pipeline.store.feed.last_position().partition("-")[0]) / 1_000

    def _epoch(self) -> str:
        epoch = self.pipeline.store.coldstarts.epoch()
        return epoch.id if epoch else ""


@dataclass(frozen=True, slots=True)
class ServedState:
    """A keyspace, the port of its delivery service, and the API keys of its partners."""

    keyspace: Keyspace
    port: int
    keys: Sequence[str]

    def todays(self) -> list[ScheduleKey]:
        """Today's schedules, in order. The load asks for the first of them."""
        return sorted(key for key in self.keyspace.sources if key.date == utc_now().date())

    def get(self, path: str, **headers: str) -> Answer:
        """Send a request as a partner. Underscores in names of headers become hyphens."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return get(self.port, path, {"Authorization": f"Bearer {self.keys[0]}", **fields})


def fill(redis_url: str, name: str, first: date, days: int, services: int) -> Keyspace:
    """Publish schedules of so many services and days with the engine; none for 0 days."""
    sources = {}
    if days:
        sample = whole_sample(first, days, services)
        sources = source_documents(sample)
        write_catalogue(Redis.from_url(redis_url, protocol=2), sample.catalogue.values())
    pipeline = make_engine(redis_url, DocumentsInMemory(sources), name)
    rebuild_everything(pipeline, list(sources))
    return Keyspace(name, pipeline, sources)


def add_partners(keyspace: Keyspace, file: Path) -> Sequence[str]:
    """Create partners without restrictions. Returns their keys, which are also written to ``file``."""
    keys = [
        add_partner(
            keyspace,
            Partner(
                f"bench-{number}",
                utc_now(),
                is_preview=True,
                requests_per_minute=MOST_REQUESTS_PER_MINUTE,
                requests_per_day=MOST_REQUESTS_PER_DAY,
                waiting_at_once=MOST_WAITING_AT_ONCE,
            ),
        )
        for number in range(_PARTNERS)
    ]
    file.write_text("\n".join(keys) + "\n")
    return keys


def add_partner(keyspace: Keyspace, partner: Partner) -> str:
    """Create a partner with a key, which is returned."""
    issued = issue_key(secrets.token_bytes(RANDOM_BYTES), utc_now())
    keyspace.pipeline.store.partners.create(replace(partner, keys=(issued.key,)))
    return issued.text
