"""The body of a webhook: one change of one schedule, or a reset after missed changes. JSON.

An event's id is made of its position in the feed, so every repetition has the same id.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson

from schedules_pipeline.documents.addresses import DIGEST, version_address
from schedules_pipeline.publishing.ports.feed import FeedEntry

PUBLISHED, REMOVED, RESET = "schedule.published", "schedule.removed", "feed.reset"
_FORMAT = orjson.OPT_UTC_Z
_NOT_IN_AN_ID = re.compile(r"[^0-9A-Za-z_-]")


@dataclass(frozen=True, slots=True)
class Event:
    id: str
    body: bytes


def render_change(entry: FeedEntry, epoch: str, cursor: str) -> Event:
    """``cursor``: where the change feed continues after this change."""
    change, event_id = entry.change, _event_id("chg", epoch, entry.position)
    data = {
        "sid": change.key.sid,
        "date": change.key.date,
        "seq": change.seq,
        "etag": change.etag or None,
        "published_at": change.published_at,
        "href": version_address(change),
        "cursor": cursor,
    }
    return _event(event_id, REMOVED if change.is_removal else PUBLISHED, change.published_at, data)


def render_reset(position: str, epoch: str, cursor: str, reason: str, now: datetime) -> Event:
    """Tell the receiver to fetch everything anew; changes after this position follow one by one."""
    data = {"reason": reason, "href": DIGEST, "cursor": cursor}
    return _event(_event_id("reset", epoch, position), RESET, now, data)


def _event(event_id: str, kind: str, at: datetime, data: Mapping[str, object]) -> Event:
    body = {"id": event_id, "type": kind, "timestamp": at, "data": data}
    return Event(event_id, orjson.dumps(body, option=_FORMAT))


def _event_id(kind: str, epoch: str, position: str) -> str:
    return _NOT_IN_AN_ID.sub("_", f"{kind}_{epoch}_{position}")
