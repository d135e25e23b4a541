"""One row of the change feed: a version that was published, or a removal."""

from dataclasses import dataclass
from datetime import datetime

from schedules_pipeline.domain.causes import Cause
from schedules_pipeline.domain.identifiers import ScheduleKey


@dataclass(frozen=True, slots=True)
class Change:
    """One row: a version of a schedule was published, or the schedule was removed (``etag`` "").

    ``causes`` are the first few of ``cause_count``. ``source_changed``: this version came with a new source
    document. ``recorded_by``: the Dagster run that records this version itself, "" if none does.
    """

    seq: int
    key: ScheduleKey
    etag: str
    published_at: datetime
    broadcasts: int
    content_bytes: int
    source_changed: bool
    build_milliseconds: float
    causes: tuple[Cause, ...]
    cause_count: int
    recorded_by: str

    @property
    def is_removal(self) -> bool:
        return not self.etag

    @property
    def seconds_from_notification(self) -> float | None:
        """From the oldest known notification to the publication; None if no cause is known."""
        if not self.causes:
            return None
        return (self.published_at - min(cause.notified_at for cause in self.causes)).total_seconds()

    @property
    def why(self) -> str:
        """For people: ``catalogue b0000001 (title) and 2 more``; "" if no cause is known."""
        if not self.causes:
            return ""
        first = self.causes[0]
        fields = f" ({', '.join(first.changed)})" if first.changed else ""
        more = f" and {self.cause_count - 1} more" if self.cause_count > 1 else ""
        return f"{first.origin.value} {first.subject}{fields}{more}"
