"""A broadcaster of any size: copies of the sample, each with services, programmes and catalogue of its own.

Documents are made when they are read, so that this process does not hold them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import cast

import orjson
from redis import Redis

from benchmarks.engine import make_engine
from benchmarks.world import add_brand, schedule_key, whole_sample, write_catalogue
from demo.sample import PID_ALPHABET, Document, Sample, SourceKey
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import policies_from, utc_now
from schedules_pipeline.documents.partner_document import split_document
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.publishing.ports.schedules import ScheduleStore
from schedules_pipeline.publishing.ports.upstream import NotificationQueue, QueueDepth, SourceObject
from schedules_pipeline.settings import Settings

_PID = re.compile(rb'(_pid":"[^"]+)"')
_CATALOGUE_PIDS = ("pid", "parent_pid", "image_pid")


@dataclass(frozen=True, slots=True)
class ScaledSource:
    """A schedule source; implements ScheduleSource. ``edited``: documents that differ from their copy's."""

    sample: Sample
    copies: int
    edited: dict[ScheduleKey, bytes] = field(default_factory=dict)

    def list_keys(self) -> Iterator[ScheduleKey]:
        return (
            ScheduleKey(Sid(sid + _suffix(number)), on)
            for number in range(self.copies)
            for sid, on in self.sample.schedules
        )

    def fetch(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, SourceObject | Exception | None]:
        return {key: SourceObject(self.document(key), "1") for key in keys}

    def document(self, key: ScheduleKey) -> bytes:
        if key in self.edited:
            return self.edited[key]
        sid, _, copy = key.sid.partition("_copy")
        plain = orjson.dumps(self.sample.schedules[sid, key.date] | {"sid": key.sid})
        return _PID.sub(rb'\g<1>%b"' % _digits(int(copy or 0)), plain)

    def catalogue(self) -> Iterator[Document]:
        for number in range(self.copies):
            digits = _digits(number).decode()
            for document in self.sample.catalogue.values():
                own = {name: document[name] + digits for name in _CATALOGUE_PIDS if document.get(name)}
                yield document | own

    def add_brand(self, keys: Iterable[ScheduleKey], name: str) -> tuple[Document, Mapping[str, Document]]:
        """Show an episode of a new brand in these schedules. Returns the brand, and the new items."""
        schedules: dict[SourceKey, Document] = {
            (str(key.sid), key.date): orjson.loads(self.document(key)) for key in keys
        }
        sample, brand = add_brand(Sample({}, schedules), list(schedules), name)
        for (sid, on), document in sample.schedules.items():
            self.edited[ScheduleKey(Sid(sid), on)] = orjson.dumps(document)
        return brand, sample.catalogue


@dataclass(frozen=True, slots=True)
class EmptyQueue:
    """Of a queue, only what health asks."""

    def depth(self) -> QueueDepth:
        return QueueDepth(0, 0)


@dataclass(frozen=True, slots=True)
class AgreeingLegacy:
    """An old system that has published the same documents since; implements LegacyKeyspace."""

    source: ScaledSource
    schedules: ScheduleStore

    def refreshed_at(self) -> str:
        return utc_now().isoformat()

    def list_keys(self) -> Iterator[ScheduleKey]:
        return self.source.list_keys()

    def read(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, bytes]:
        later = (utc_now() + timedelta(minutes=1)).isoformat().encode()
        return {
            key: b'{"generated_at":"%b","schedule":{"broadcasts":%b}}' % (later, split_document(document)[1])
            for key, document in self.schedules.documents(keys).items()
        }


@dataclass(frozen=True, slots=True)
class ScaledWorld:
    """A source with two brands: one in five schedules, one in ``spread``, which never have a schedule in common."""

    source: ScaledSource
    keys: Sequence[ScheduleKey]
    spread: int
    small_brand: Document
    large_brand: Document
    items: Mapping[str, Document]

    @property
    def small_episode(self) -> Document:
        return next(d for d in self.items.values() if d.get("parent_pid") == self.small_brand["pid"])

    def write_catalogue(self, redis: Redis) -> None:
        write_catalogue(redis, self.source.catalogue())
        write_catalogue(redis, self.items.values())

    def engine(self, url: str, keyspace: str = "schedules") -> Pipeline:
        """The pipeline of this world, with queues that are empty and an old system that agrees."""
        engine = make_engine(url, self.source, keyspace)
        queue = cast("NotificationQueue", EmptyQueue())
        upstreams = replace(
            engine.upstreams,
            legacy=AgreeingLegacy(self.source, engine.store.schedules),
            schedule_queue=queue,
            catalogue_queue=queue,
            schedule_dead_letters=queue,
            catalogue_dead_letters=queue,
        )
        settings = Settings(retention_days=0)
        return Pipeline(engine.store, upstreams, engine.calendar, engine.clock, policies_from(settings))


SHOWN_ON = 5


def make_world(first: date, days: int, copies: int, spread: int) -> ScaledWorld:
    """``copies`` of the sample's 44 services on ``days`` days. ``spread``: how many schedules show the large brand."""
    source = ScaledSource(whole_sample(first, days), copies)
    keys = sorted(source.list_keys(), key=_by_day)
    # Of the first copy, so that a change is the same work in a world of any size.
    of_first_copy = sorted(map(schedule_key, source.sample.schedules), key=_by_day)[:SHOWN_ON]
    small, items = source.add_brand(of_first_copy, "Benchmark Row")
    others = [key for key in keys if key not in of_first_copy][:spread]
    large, more = source.add_brand(others, "Benchmark Street")
    return ScaledWorld(source, keys, spread, small, large, {**items, **more})


def _by_day(key: ScheduleKey) -> tuple[date, str]:
    return key.date, key.sid


def _suffix(copy: int) -> str:
    return f"_copy{copy}" if copy else ""


def _digits(copy: int) -> bytes:
    """What the pids of a copy end with, in letters that pids may have."""
    high, low = divmod(copy, len(PID_ALPHABET))
    return (PID_ALPHABET[high] + PID_ALPHABET[low]).encode()
