"""How long schedules are kept once their day is over."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta


@dataclass(frozen=True, slots=True)
class RetentionHorizon:
    """The day before which a schedule is none of ours any more, whatever its source says.

    ``days``: how many days before today are kept, counted by the date in UTC; 0 keeps everything for ever.
    """

    days: int

    def keeps(self, day: date, now: datetime) -> bool:
        return self.days == 0 or day >= now.astimezone(UTC).date() - timedelta(days=self.days)


KEEPS_EVERYTHING = RetentionHorizon(0)
