"""When a schedule is due for a rebuild: a schedule on air comes first.

The due time grows with the distance of the broadcast day, but only up to a minute. So a flood of changes to schedules
on air cannot delay next week's for ever.
"""

from datetime import datetime, timedelta

from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.identifiers import ScheduleKey

_PER_DAY_AHEAD = timedelta(seconds=4)
_MOST = timedelta(seconds=60)


def due_at(key: ScheduleKey, now: datetime, calendar: BroadcastCalendar) -> datetime:
    """Now for a schedule on air, up to a minute later for a day ahead, and a minute later for a past day."""
    day = calendar.window(key)
    if day.contains(now):
        return now
    if day.end <= now:
        return now + _MOST
    return now + min(_MOST, _PER_DAY_AHEAD * ((day.start - now) / timedelta(days=1)))
