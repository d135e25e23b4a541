"""How long schedules are kept once their day is over."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from schedules_pipeline.domain.identifiers import ScheduleKey


@dataclass(frozen=True, slots=True)
class RetentionHorizon:
    """The limit past which schedules are removed, also if their source still has them.

    ``days``: how many days before today are kept, by the date in UTC; 0 keeps everything for ever.
    """

    days: int

    def keeps(self, day: date, now: datetime) -> bool:
        return self.days == 0 or day >= now.astimezone(UTC).date() - timedelta(days=self.days)

    def select(self, keys: Iterable[ScheduleKey], now: datetime) -> list[ScheduleKey]:
        """The keys within the horizon, in their order."""
        return [key for key in keys if self.keeps(key.date, now)]


KEEPS_EVERYTHING = RetentionHorizon(0)
