"""Rows of the change feed made by hand."""

from datetime import datetime

from delivery.guides import NOON, key

from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports.feed import FeedEntry


def change(
    of: ScheduleKey | None = None, seq: int = 1, *, removed: bool = False, published_at: datetime = NOON
) -> Change:
    """A version of a schedule, or its removal."""
    return Change(
        of or key(),
        seq,
        "" if removed else f"etag{seq}",
        published_at,
        0 if removed else 2,
        0 if removed else 1_000,
        source_changed=True,
        build_milliseconds=1.0,
        causes=(),
        cause_count=0,
        recorded_by="",
    )


def entry(position: str, of: Change | None = None) -> FeedEntry:
    """A row at its place."""
    return FeedEntry(position, of or change())
