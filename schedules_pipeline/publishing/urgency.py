"""How soon a schedule must be rebuilt: what is on air now before what comes later.

Urgency is a due time rather than a rank, so that a flood of changes to what is on air cannot keep a
schedule of next week waiting for ever: its due time comes.
"""

from datetime import datetime, timedelta

from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.identifiers import ScheduleKey

_PER_DAY_AHEAD = timedelta(seconds=4)
_MOST = timedelta(seconds=60)


def due_at(key: ScheduleKey, now: datetime, calendar: BroadcastCalendar) -> datetime:
    """Now for a schedule on air; up to a minute later the further its day is ahead; last what is over."""
    day = calendar.window(key)
    if day.contains(now):
        return now
    if day.end <= now:
        return now + _MOST
    return now + min(_MOST, _PER_DAY_AHEAD * ((day.start - now) / timedelta(days=1)))
