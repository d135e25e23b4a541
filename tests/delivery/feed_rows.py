"""Rows of the change feed made by hand."""

from datetime import datetime

from builders import a_change
from delivery.guides import NOON, key

from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports.feed import FeedEntry


def change(
    of: ScheduleKey | None = None, seq: int = 1, *, removed: bool = False, published_at: datetime = NOON
) -> Change:
    """A version of a schedule, or its removal."""
    return a_change(
        of or key(),
        seq,
        etag="" if removed else f"etag{seq}",
        published_at=published_at,
        broadcasts=0 if removed else 2,
        content_bytes=0 if removed else 1_000,
    )


def entry(position: str, of: Change | None = None) -> FeedEntry:
    """A row at its place."""
    return FeedEntry(position, of or change())
