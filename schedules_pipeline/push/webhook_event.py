"""The bodies of webhooks: one event for each change, alone or in a batch, in one of two envelopes.

An event's id is made of the version that it tells of, so every repetition has the same id, from any pusher.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from schedules_pipeline.documents.addresses import DIGEST, version_address
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.push.subscription import Envelope

PUBLISHED, REMOVED, RESET, BATCH = "schedule.published", "schedule.removed", "feed.reset", "events"
PING = "subscription.ping"
_FORMAT = orjson.OPT_UTC_Z
_NOT_IN_AN_ID = re.compile(r"[^0-9A-Za-z_-]")
_SOURCE = "/v1/changes"
"""CloudEvents' ``source``: a reference to be resolved against the delivery service's address, as each ``href``."""


@dataclass(frozen=True, slots=True)
class Event:
    """``subject``: the schedule, or "" for an event about the whole feed."""

    id: str
    kind: str
    at: datetime
    subject: str
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Message:
    """The body of a request, and its ``webhook-id``."""

    id: str
    media_type: str
    body: bytes


def change_event(change: Change, epoch: str, cursor: str) -> Event:
    """``cursor``: a position of the change feed up to which the receiver has everything after this request."""
    data = {
        "sid": change.key.sid,
        "date": change.key.date,
        "seq": change.seq,
        "etag": change.etag or None,
        "published_at": change.published_at,
        "href": version_address(change),
        "cursor": cursor,
    }
    event_id = _event_id("chg", epoch, f"{change.key.sid}_{change.key.date}_{change.seq}")
    kind = REMOVED if change.is_removal else PUBLISHED
    return Event(event_id, kind, change.published_at, str(change.key), data)


def reset_event(position: str, epoch: str, cursor: str, reason: str, now: datetime) -> Event:
    """Tell the receiver to fetch everything anew; changes after this position follow."""
    data = {"reason": reason, "href": DIGEST, "cursor": cursor}
    return Event(_event_id("reset", epoch, position), RESET, now, "", data)


def ping_event(name: str, asked_at: datetime) -> Event:
    """It tells of no change; the state of the subscription shows whether the receiver accepts it."""
    at = f"{name}_{asked_at:%Y%m%dT%H%M%S%f}"
    return Event(_event_id("ping", "subscription", at), PING, asked_at, "", {"subscription": name})


def render_message(events: Sequence[Event], envelope: Envelope, *, in_batches: bool) -> Message:
    """One event as it is; a subscription with batches gets each event in a batch, also a single one."""
    is_cloud = envelope is Envelope.CLOUDEVENTS
    members = [_cloud_event(each) if is_cloud else _plain_event(each) for each in events]
    if not in_batches:
        (member,) = members
        kind = "application/cloudevents+json" if is_cloud else "application/json"
        return Message(events[0].id, kind, orjson.dumps(member, option=_FORMAT))
    batch_id = _batch_id(events)
    if is_cloud:
        return Message(batch_id, "application/cloudevents-batch+json", orjson.dumps(members, option=_FORMAT))
    batch = {
        "id": batch_id,
        "type": BATCH,
        "timestamp": max(each.at for each in events),
        "data": {"events": members},
    }
    return Message(batch_id, "application/json", orjson.dumps(batch, option=_FORMAT))


def _plain_event(event: Event) -> dict[str, object]:
    return {"id": event.id, "type": event.kind, "timestamp": event.at, "data": event.data}


def _cloud_event(event: Event) -> dict[str, object]:
    """CloudEvents 1.0. ``source`` and ``id`` together are unique."""
    subject = {"subject": event.subject} if event.subject else {}
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": _SOURCE,
        "type": event.kind,
        **subject,
        "time": event.at,
        "datacontenttype": "application/json",
        "data": event.data,
    }


def _batch_id(events: Sequence[Event]) -> str:
    digest = hashlib.sha256("\n".join(each.id for each in events).encode())
    return f"batch_{digest.hexdigest()[:32]}"


def _event_id(kind: str, epoch: str, of: str) -> str:
    return _NOT_IN_AN_ID.sub("_", f"{kind}_{epoch}_{of}")
