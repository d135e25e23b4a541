"""A publisher of an earlier release, as a process of its own: ``python earlier_publisher.py WHEEL REDIS_URL KEYSPACE``.

It imports the package from the wheel alone, so what it calls is the wheel's and never changes. Schedule documents are
read from the Redis hash ``bucket``. Each line of its input is a notification, ``item PID`` or ``schedule KEY``; it
answers each with a line, publishes between them, and ends with the input, with status 1 if publishing failed.

``python earlier_publisher.py WHEEL REDIS_URL KEYSPACE read`` prints how many schedules its delivery service can serve.
"""

import sys
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Any
from zoneinfo import ZoneInfo

sys.path.insert(0, sys.argv[1])

from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import redis_store
from schedules_pipeline.delivery.follower import Follower
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.publishing.ports import PublishingSources
from schedules_pipeline.publishing.ports.upstream import SourceObject
from schedules_pipeline.publishing.ports.work import Mark
from schedules_pipeline.store.link import RedisLink, connect
from schedules_pipeline.upstream.catalogue import RedisCatalogueSource


class _Bucket:
    """Implements the source of schedule documents, over a hash."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    def fetch(self, keys: Any) -> dict[ScheduleKey, SourceObject | None]:
        found = self._link.call("HMGET", "bucket", *map(str, keys))
        return {
            key: None if content is None else SourceObject(content, str(hash(content)))
            for key, content in zip(keys, found, strict=True)
        }


def _now() -> datetime:
    return datetime.now(UTC)


def _pipeline(url: str, keyspace: str) -> Pipeline:
    link = RedisLink(connect(url))
    sources: Any = PublishingSources(
        schedule_source=_Bucket(link),  # type: ignore[arg-type]  # a publisher lists no keys
        catalogue_source=RedisCatalogueSource(link, "catalogue:"),
    )
    calendar = BroadcastCalendar(ZoneInfo("Europe/London"), ("*radio*",))
    watch: Any = object()
    return Pipeline(redis_store(link, keyspace), sources, calendar, _now, watch=watch)


def _publish(pipeline: Pipeline, is_over: Event, is_done: Event) -> None:
    while not is_over.is_set() or not pipeline.store.work.backlog().is_empty:
        if pipeline.publisher.publish_next(5) is None:
            pipeline.store.work.wait(0.05)
    is_done.set()


def read() -> None:
    """Fill the mirror of the delivery service once."""
    store = _pipeline(sys.argv[2], sys.argv[3]).store
    keys = [key for batch in store.schedules.stored_keys() for key in batch]
    follower: Any = Follower(store.feed, store.schedules, store.coldstarts, None, _now)  # type: ignore[arg-type]
    sys.stdout.write(f"{len(follower._read(keys))}\n")


def main() -> None:
    """Publish in a thread and handle notifications in another, until the input ends."""
    pipeline, is_over, is_done = _pipeline(sys.argv[2], sys.argv[3]), Event(), Event()
    publisher = Thread(target=_publish, args=(_pipeline(sys.argv[2], sys.argv[3]), is_over, is_done))
    publisher.start()
    for number, line in enumerate(sys.stdin):
        kind, subject = line.split()
        cause = Cause(
            f"earlier {number}", Origin.CATALOGUE if kind == "item" else Origin.SCHEDULE, subject, _now()
        )
        if kind == "item":
            pipeline.follower.follow({Pid(subject): cause})
        else:
            key = ScheduleKey.parse(subject)
            pipeline.store.schedules.count_source_change([key])
            pipeline.store.work.mark([Mark(key, _now(), cause)])
        sys.stdout.write("handled\n")
        sys.stdout.flush()
    is_over.set()
    publisher.join()
    sys.exit(0 if is_done.is_set() else 1)


if __name__ == "__main__":
    read() if sys.argv[4:] else main()
