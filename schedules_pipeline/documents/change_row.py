"""Rows of the change feed, as JSON that begins with the sequence number, where the store looks for it."""

from collections.abc import Iterable
from datetime import datetime

import orjson

from schedules_pipeline.documents.cause import cause_fields, read_cause
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import InvalidRecord


def render_row(change: Change) -> bytes:
    return orjson.dumps(
        {
            "seq": change.seq,
            "key": str(change.key),
            "etag": change.etag,
            "published_at": change.published_at.isoformat(),
            "broadcasts": change.broadcasts,
            "content_bytes": change.content_bytes,
            "source_changed": change.source_changed,
            "build_milliseconds": change.build_milliseconds,
            "causes": [cause_fields(cause) for cause in change.causes],
            "cause_count": change.cause_count,
            "recorded_by": change.recorded_by,
        }
    )


def parse_row(row: bytes) -> Change:
    """Raises :class:`InvalidRecord` where the row is none of ours."""
    try:
        fields = orjson.loads(row)
        fields["key"] = ScheduleKey.parse(fields["key"])
        fields["published_at"] = datetime.fromisoformat(fields["published_at"])
        fields["causes"] = tuple(read_cause(cause) for cause in fields["causes"])
        _reject_structure(fields.values())
        return Change(**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidRecord(f"change row: {row[:60]!r} … is none of ours: {error!r:.200}") from error


def _reject_structure(values: Iterable[object]) -> None:
    if any(isinstance(value, dict | list) for value in values):
        raise TypeError("a list or an object where there is none")
