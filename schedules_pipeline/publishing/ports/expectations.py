"""Expected ranges of a service for each weekday, learned from its published days."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from schedules_pipeline.domain.identifiers import Sid

FEWEST_DAYS = 4
"""With fewer days of a weekday, the range of all weekdays is used; with fewer days in all, the service has none."""


class Measure(StrEnum):
    """The measures of one broadcast day of a service. Shares are of the number of broadcasts."""

    BROADCASTS = "broadcasts"
    HOURS = "hours covered"
    CHANGES = "changes an hour"
    REPEATS = "share of repeats"
    UNKNOWN = "share of unknown episodes"


@dataclass(frozen=True, slots=True)
class ObservedDay:
    """One broadcast day as it was published in the end."""

    day: date
    measured: Mapping[Measure, float]


@dataclass(frozen=True, slots=True)
class ExpectedRange:
    """The expected values, both bounds included. ``days``: how many days it was learned from."""

    low: float
    high: float
    days: int

    def contains(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Expectation:
    """The snapshot of one service: its latest observed days, oldest first, and the ranges learned from them.

    ``by_weekday``: ranges by the number of the weekday, from Monday 0; weekdays with too few days are left out.
    ``overall``: the ranges of all days together; empty if there are too few.
    """

    learned_at: datetime
    observed: tuple[ObservedDay, ...]
    by_weekday: Mapping[int, Mapping[Measure, ExpectedRange]]
    overall: Mapping[Measure, ExpectedRange]

    def longest_day(self) -> float:
        """The most hours that are normal on any weekday; 0.0 if nothing was learned."""
        all_ranges = [self.overall, *self.by_weekday.values()]
        return max(
            (ranges[Measure.HOURS].high for ranges in all_ranges if Measure.HOURS in ranges), default=0.0
        )

    def ranges(self, day: date) -> Mapping[Measure, ExpectedRange]:
        """The ranges for a day: those of its weekday, or else those of all days."""
        return self.by_weekday.get(day.weekday(), self.overall)


class ExpectationStore(Protocol):
    def read(self, sids: Sequence[Sid]) -> dict[Sid, Expectation]:
        """The snapshots of these services; services without one are left out."""

    def all(self) -> dict[Sid, Expectation]: ...

    def keep(self, expectations: Mapping[Sid, Expectation]) -> None: ...

    def forget(self, sids: Sequence[Sid]) -> None: ...
