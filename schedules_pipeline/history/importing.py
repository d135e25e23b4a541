"""Repeats a recorded history in the bucket and the catalogue keyspace, and announces it on the two queues.

It sends to the queues directly, so the bucket needs no notifications.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import orjson

from schedules_pipeline.documents.broadcasts import render_instant
from schedules_pipeline.documents.notification import object_key
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.history.recorded import (
    CatalogueDeleted,
    CatalogueUpdated,
    HistoryEvent,
    SchedulePut,
    ScheduleRemoved,
    paced,
)
from schedules_pipeline.publishing.ports.upstream import NotificationQueue, Outgoing
from schedules_pipeline.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from redis import Redis


@dataclass(frozen=True, slots=True)
class Destination:
    """The sources to write to, and the queues to announce on."""

    s3: "S3Client"
    bucket: str
    redis: "Redis"
    catalogue_prefix: str
    schedule_queue: NotificationQueue
    catalogue_queue: NotificationQueue


def connect_destination(
    settings: Settings, schedule_queue: NotificationQueue, catalogue_queue: NotificationQueue
) -> Destination:
    """Take the destination from the settings; connects at the first command."""
    from redis import Redis

    from schedules_pipeline.upstream.clients import s3_client

    return Destination(
        s3_client(settings.aws_region, settings.aws_endpoint_url),
        settings.schedule_bucket,
        Redis.from_url(_catalogue_url(settings)),
        settings.catalogue_prefix,
        schedule_queue,
        catalogue_queue,
    )


def find_addresses_elsewhere(settings: Settings) -> list[str]:
    """The settings that name a source outside this machine, each with its host."""
    found = []
    if not _is_loopback(settings.aws_endpoint_url or ""):
        where = urlsplit(settings.aws_endpoint_url or "").hostname or "AWS itself"
        found.append(f"SCHEDULES_AWS_ENDPOINT_URL ({where})")
    if not _is_loopback(_catalogue_url(settings)):
        name = "CATALOGUE_REDIS_URL" if settings.catalogue_redis_url else "REDIS_URL"
        found.append(f"SCHEDULES_{name} ({urlsplit(_catalogue_url(settings)).hostname})")
    return found


def import_history(
    events: Iterable[HistoryEvent],
    destination: Destination,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
    speed: float | None = None,
    on_written: Callable[[HistoryEvent], None] = lambda _: None,
) -> None:
    """Write or remove what every event says, and announce it: at once, or at ``speed`` times the recorded pace."""
    paced_events = paced(events, math.inf if speed is None else speed, clock())
    for number, (due_at, event) in enumerate(paced_events, start=1):
        sleep(max(0.0, (due_at - clock()).total_seconds()))
        with _service_errors(number):
            _write(event, destination, number, clock())
        on_written(event)


@contextmanager
def _service_errors(number: int) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError
    from redis.exceptions import RedisError

    try:
        yield
    except (BotoCoreError, ClientError, RedisError) as error:
        raise ServiceError(f"event {number} could not be written: {error}") from error


def _write(event: HistoryEvent, to: Destination, number: int, now: datetime) -> None:
    told: dict[str, object] = {"seq": number, "at": render_instant(now)}
    match event:
        case CatalogueUpdated(document=document, type=kind, pid=pid):
            to.redis.set(to.catalogue_prefix + pid, orjson.dumps(document))
            to.catalogue_queue.send([Outgoing(_text({"action": "UPDATE", "type": kind, "pid": pid, **told}))])
        case CatalogueDeleted(type=kind, pid=pid):
            to.redis.delete(to.catalogue_prefix + pid)
            to.catalogue_queue.send([Outgoing(_text({"action": "DELETE", "type": kind, "pid": pid, **told}))])
        case SchedulePut(document=document, sid=sid, date=day):
            content = orjson.dumps(document)
            name = object_key(ScheduleKey(Sid(sid), day))
            to.s3.put_object(Bucket=to.bucket, Key=name, Body=content, ContentType="application/json")
            to.schedule_queue.send([Outgoing(_text({"sid": sid, "date": day.isoformat()}))])
        case ScheduleRemoved(sid=sid, date=day):
            to.s3.delete_object(Bucket=to.bucket, Key=object_key(ScheduleKey(Sid(sid), day)))
            to.schedule_queue.send(
                [Outgoing(_text({"sid": sid, "date": day.isoformat(), "action": "DELETE"}))]
            )


def _text(fields: dict[str, object]) -> str:
    return orjson.dumps(fields).decode()


def _catalogue_url(settings: Settings) -> str:
    return (settings.catalogue_redis_url or settings.redis_url).get_secret_value()


def _is_loopback(url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme == "unix" or parts.hostname == "localhost":
        return True
    try:
        return ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
