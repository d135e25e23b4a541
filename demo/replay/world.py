"""The real pipeline on a real Redis, over sources in memory and a simulated clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson
from pydantic import SecretStr
from redis import Redis

from demo.replay.sources import MemoryBucket, MemoryQueue, SimulatedClock
from schedules_pipeline.composition import Pipeline, Upstreams
from schedules_pipeline.connections import calendar_from, policies_from, redis_store
from schedules_pipeline.documents.notification import object_key
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.history.recorded import (
    CatalogueDeleted,
    CatalogueUpdated,
    HistoryEvent,
    SchedulePut,
    ScheduleRemoved,
)
from schedules_pipeline.publishing.intake import ingest
from schedules_pipeline.publishing.ports.schedules import Outcome
from schedules_pipeline.publishing.ports.upstream import Outgoing
from schedules_pipeline.settings import Settings
from schedules_pipeline.store.link import RedisLink, connect
from schedules_pipeline.upstream.catalogue import RedisCatalogueSource
from schedules_pipeline.upstream.legacy import RedisLegacyKeyspace

_CATALOGUE_PREFIX = "catalogue:"


@dataclass(frozen=True, slots=True)
class Published:
    """What one step of the pipeline has done: the schedules that it rebuilt, and how many versions it published."""

    rebuilt: Sequence[ScheduleKey]
    versions: int


class World:
    """The upstream systems, and the pipeline that follows them."""

    def __init__(self, redis_url: str, settings: Settings) -> None:
        self.clock = SimulatedClock()
        self._redis = Redis.from_url(redis_url)
        self._bucket = MemoryBucket()
        self._schedule_queue, self._catalogue_queue = MemoryQueue(self.clock), MemoryQueue(self.clock)
        link = RedisLink(connect(redis_url))
        upstreams = Upstreams(
            schedule_source=self._bucket,
            catalogue_source=RedisCatalogueSource(link, _CATALOGUE_PREFIX),
            schedule_queue=self._schedule_queue,
            catalogue_queue=self._catalogue_queue,
            legacy=RedisLegacyKeyspace(link, settings.legacy_prefix),
            schedule_dead_letters=MemoryQueue(self.clock),
            catalogue_dead_letters=MemoryQueue(self.clock),
        )
        store, calendar = redis_store(link, settings.keyspace), calendar_from(settings)
        self.pipeline = Pipeline(store, upstreams, calendar, self.clock, policies_from(settings))

    def happen(self, events: Sequence[HistoryEvent]) -> None:
        """Write and delete what the events say, and announce each on its queue."""
        self.write(events)
        self.announce(events)

    def write(self, events: Sequence[HistoryEvent]) -> None:
        """Write and delete what the events say, without a notification."""
        with self._redis.pipeline(transaction=False) as catalogue:
            for event in events:
                match event:
                    case CatalogueUpdated(document=document, pid=pid):
                        catalogue.set(_CATALOGUE_PREFIX + pid, orjson.dumps(document))
                    case CatalogueDeleted(pid=pid):
                        catalogue.delete(_CATALOGUE_PREFIX + pid)
                    case SchedulePut(document=document, sid=sid, date=day):
                        self._bucket.put(ScheduleKey(Sid(sid), day), orjson.dumps(document))
                    case ScheduleRemoved(sid=sid, date=day):
                        self._bucket.remove(ScheduleKey(Sid(sid), day))
            catalogue.execute()

    def announce(self, events: Sequence[HistoryEvent]) -> None:
        for event in events:
            self._announce(event)

    def settle(self) -> Published:
        """Handle every message, then publish until nothing is pending."""
        pipeline = self.pipeline
        while ingest(self._catalogue_queue, pipeline.catalogue_intake.handle, 0).received:
            pass
        while ingest(self._schedule_queue, pipeline.schedule_intake.handle, 0).received:
            pass
        batches = pipeline.publisher.publish_all()
        rebuilt = [built.key for batch in batches for built in batch.built]
        return Published(rebuilt, sum(batch.count(Outcome.PUBLISHED) for batch in batches))

    def documents(self, keys: Sequence[ScheduleKey]) -> Mapping[ScheduleKey, bytes]:
        """What partners get of these schedules."""
        return self.pipeline.store.schedules.documents(keys)

    def _announce(self, event: HistoryEvent) -> None:
        match event:
            case CatalogueUpdated(type=kind, pid=pid):
                self._catalogue_queue.send([Outgoing(_catalogue_message("UPDATE", kind, pid))])
            case CatalogueDeleted(type=kind, pid=pid):
                self._catalogue_queue.send([Outgoing(_catalogue_message("DELETE", kind, pid))])
            case SchedulePut(sid=sid, date=day):
                self._schedule_queue.send(
                    [Outgoing(_s3_event("ObjectCreated:Put", ScheduleKey(Sid(sid), day)))]
                )
            case ScheduleRemoved(sid=sid, date=day):
                self._schedule_queue.send(
                    [Outgoing(_s3_event("ObjectRemoved:Delete", ScheduleKey(Sid(sid), day)))]
                )


def settings_for(redis_url: str, keyspace: str) -> Settings:
    """The settings of production where a history does not prescribe others; the past is kept."""
    return Settings(
        redis_url=SecretStr(redis_url),
        keyspace=keyspace,
        catalogue_prefix=_CATALOGUE_PREFIX,
        retention_days=0,
    )


def _catalogue_message(action: str, kind: str, pid: str) -> str:
    return orjson.dumps({"action": action, "type": kind, "pid": pid}).decode()


def _s3_event(name: str, key: ScheduleKey) -> str:
    record = {"eventName": name, "s3": {"object": {"key": object_key(key)}}}
    return orjson.dumps({"Records": [record]}).decode()
