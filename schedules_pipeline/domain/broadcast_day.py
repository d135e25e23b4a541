"""Where a broadcast day begins and ends; the only place that knows local time.

A television day runs from 06:00 to 06:00 local time, so it lasts 23 or 25 hours across a clock
change. A radio day begins at 00:00 local time and lasts 30 elapsed hours, overlapping the next.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.interval import Interval

_TELEVISION_START = time(6)
_RADIO_START = time(0)
_RADIO_LENGTH = timedelta(hours=30)


@dataclass(frozen=True, slots=True)
class BroadcastCalendar:
    """Cuts time into broadcast days. A service is radio if its sid matches one of the patterns."""

    zone: ZoneInfo
    radio_services: tuple[str, ...] = ()

    def is_radio(self, sid: Sid) -> bool:
        return any(fnmatchcase(sid, pattern) for pattern in self.radio_services)

    def window(self, key: ScheduleKey) -> Interval:
        """The broadcast day of a schedule, as UTC instants."""
        if self.is_radio(key.sid):
            start = self.instant(key.date, _RADIO_START)
            return Interval(start, start + _RADIO_LENGTH)
        following = key.date + timedelta(days=1)
        return Interval(self.instant(key.date, _TELEVISION_START), self.instant(following, _TELEVISION_START))

    def instant(self, day: date, at: time) -> datetime:
        """When a local time comes on a day, in UTC: the first of two; of one that the clocks skip, when it would
        have come had they not been put forward.
        """
        return datetime.combine(day, at, tzinfo=self.zone).astimezone(UTC)
