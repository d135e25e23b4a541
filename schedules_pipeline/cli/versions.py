"""How versions, their causes and their differences are worded and given to programs; for several commands."""

import json
from collections.abc import Iterable
from typing import Any

from schedules_pipeline.domain.causes import Cause
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.diff import Difference

_SHOWN_CHARACTERS = 120


def change_fields(change: Change) -> dict[str, Any]:
    return {
        "schedule": str(change.key),
        "seq": change.seq,
        "published_at": change.published_at,
        "is_removal": change.is_removal,
        "etag": change.etag,
        "broadcasts": change.broadcasts,
        "content_bytes": change.content_bytes,
        "source_changed": change.source_changed,
        "seconds_from_notification": change.seconds_from_notification,
        "causes": [cause_fields(cause) for cause in change.causes],
        "cause_count": change.cause_count,
    }


def cause_fields(cause: Cause) -> dict[str, Any]:
    return {
        "event_id": cause.event_id,
        "origin": cause.origin.value,
        "subject": str(cause.subject),
        "notified_at": cause.notified_at,
        "changed": list(cause.changed),
    }


def difference_fields(difference: Difference) -> dict[str, Any]:
    """Of two versions: in the difference ``ours`` is the later."""
    return {
        "broadcast_pid": difference.broadcast_pid,
        "field": difference.field,
        "before": difference.theirs,
        "after": difference.ours,
    }


def difference_rows(differences: Iterable[Difference]) -> list[list[object]]:
    return [[d.broadcast_pid, d.field, _shorten(d.theirs), _shorten(d.ours)] for d in differences]


def _shorten(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"
