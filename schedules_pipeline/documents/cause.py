"""Causes of a rebuild as one line of JSON, as the work queue and the change feed keep them."""

from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.errors import InvalidRecord


def render_cause(cause: Cause) -> bytes:
    return orjson.dumps(cause_fields(cause))


def cause_fields(cause: Cause) -> list[str]:
    """The four that every cause has, then the names of the fields that changed, if any."""
    notified_at = cause.notified_at.isoformat()
    return [cause.event_id, cause.origin.value, str(cause.subject), notified_at, *cause.changed]


@lru_cache(maxsize=1_024)
def parse_cause(line: bytes) -> Cause:
    """One change is the cause of hundreds of rebuilds in the same words, so they are read once.

    Raises :class:`InvalidRecord` where the line is no cause's.
    """
    try:
        return read_cause(orjson.loads(line))
    except orjson.JSONDecodeError as error:
        raise InvalidRecord(f"cause: {line[:60]!r} is none of ours") from error


def read_cause(fields: list[Any]) -> Cause:
    """Raises :class:`InvalidRecord` where these are no cause's."""
    try:
        event_id, origin, subject, notified_at, *changed = fields
        "".join(fields)  # a TypeError, unless all are texts
        return Cause(event_id, Origin(origin), subject, datetime.fromisoformat(notified_at), tuple(changed))
    except (ValueError, TypeError) as error:
        raise InvalidRecord(f"cause: none of ours: {error!r:.200}") from error
