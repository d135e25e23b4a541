"""Intervals: starts are inclusive and ends are exclusive, everywhere in this package."""

from datetime import datetime, timedelta
from typing import NamedTuple


class Interval(NamedTuple):
    """A half-open interval of aware instants."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def contains(self, instant: datetime) -> bool:
        return self.start <= instant < self.end

    def overlaps(self, other: "Interval") -> bool:
        """Whether they have an instant in common; an empty one has none with any."""
        return max(self.start, other.start) < min(self.end, other.end)
