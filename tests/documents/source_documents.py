"""Source documents of one schedule for tests: complete and valid, with what a test says otherwise."""

from datetime import date
from typing import Any

import orjson

from schedules_pipeline.documents.source_document import parse_source_document
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.schedule import Slot
from schedules_pipeline.errors import InvalidDocument

KEY = ScheduleKey(Sid("alder_one_north"), date(2026, 1, 15))
Document = dict[str, Any]


def a_broadcast(**changes: Any) -> Document:
    return {
        "broadcast_pid": "p0000001",
        "episode_pid": "b0000001",
        "version_pid": "v0000001",
        "start": "2026-01-15T06:00:00Z",
        "end": "2026-01-15T06:30:00Z",
        "is_repeat": True,
        "is_blanked": False,
        "is_signed": False,
        "is_audio_described": False,
    } | changes


def a_document(*broadcasts: Any, **changes: Any) -> Document:
    return {
        "sid": "alder_one_north",
        "date": "2026-01-15",
        "published_at": "2026-01-10T09:30:00Z",
        "broadcasts": list(broadcasts),
    } | changes


def without(document: Document, name: str) -> Document:
    return {field: value for field, value in document.items() if field != name}


def slots_of(document: Document) -> tuple[Slot, ...]:
    return parse_source_document(KEY, orjson.dumps(document)).schedule.slots


def complaint_about(content: bytes) -> str:
    """Why the document is rejected, or its broadcasts are quarantined."""
    try:
        document = parse_source_document(KEY, content)
    except InvalidDocument as error:
        return str(error)
    assert document.quarantined
    return "; ".join(each.reason for each in document.quarantined)
