"""The airtime that a schedule covers now, and that it covered lately.

A document is judged against the fullest state of the last day rather than the latest one: otherwise a schedule could
shrink to nothing in steps that are each too small to notice.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from schedules_pipeline.domain.airtime import Airtime, contains, length_within
from schedules_pipeline.domain.interval import Interval

REMEMBERED_FOR = timedelta(hours=24)
_MOST_REMEMBERED = 20


@dataclass(frozen=True, slots=True)
class EarlierAirtime:
    """What a source covered that another replaced at ``until``."""

    until: datetime
    airtime: Airtime


@dataclass(frozen=True, slots=True)
class Coverage:
    current: Airtime = ()
    earlier: tuple[EarlierAirtime, ...] = ()

    def fullest(self, window: Interval, now: datetime) -> timedelta:
        """The most of the window that was covered at any moment of the last 24 hours."""
        lately = [each.airtime for each in self.earlier if each.until > now - REMEMBERED_FOR]
        return max(length_within(airtime, window) for airtime in (self.current, *lately))

    def replaced_by(self, airtime: Airtime, now: datetime) -> "Coverage":
        """The coverage once a source with this airtime is accepted.

        An earlier state is forgotten after 24 hours, or at once if a later one contains it: then it is never the
        fullest again. The bound on their number holds against a source that moves its broadcasts all the time.
        """
        kept: list[EarlierAirtime] = []
        later = airtime
        for each in (EarlierAirtime(now, self.current), *self.earlier):
            if each.until > now - REMEMBERED_FOR and not contains(later, each.airtime):
                kept.append(each)
                later = each.airtime
        return Coverage(airtime, tuple(kept[:_MOST_REMEMBERED]))
