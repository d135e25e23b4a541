"""Causes of a rebuild as one line of JSON, as the work queue and the change feed keep them."""

from functools import lru_cache
from typing import Any

from schedules_pipeline.documents.record import Record
from schedules_pipeline.domain.causes import Cause


def cause_from_list(fields: Any) -> dict[str, Any]:
    """Release 0.1.0 wrote a list: the four members that every cause has, then the names of the changed fields."""
    event_id, origin, subject, notified_at, *changed = fields
    return {
        "event_id": event_id,
        "origin": origin,
        "subject": subject,
        "notified_at": notified_at,
        "changed": changed,
    }


_CAUSE = Record(Cause, "cause", [cause_from_list])


def render_cause(cause: Cause) -> bytes:
    return _CAUSE.render(cause)


@lru_cache(maxsize=1_024)
def parse_cause(line: bytes) -> Cause:
    """Read a cause. Remembered: one event causes hundreds of rebuilds in the same words.

    Raises :class:`InvalidRecord` if the line cannot be decoded.
    """
    return _CAUSE.parse(line)
