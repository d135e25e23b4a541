"""Broadcast days: television from 06:00 local time to the next 06:00, radio from 00:00 for 30 hours."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from demo.replay.oracle.airtime import Span

Key = tuple[str, str]
"""A service and a date."""

_RADIO_SECONDS = 30 * 3600


@dataclass(frozen=True, slots=True)
class BroadcastDays:
    zone: ZoneInfo
    radio: Sequence[str]

    def span(self, key: Key) -> Span:
        sid, date = key
        midnight = datetime.fromisoformat(date).replace(tzinfo=self.zone)
        if any(fnmatchcase(sid, pattern) for pattern in self.radio):
            start = int(midnight.timestamp())
            return start, start + _RADIO_SECONDS
        # Arithmetic on an aware datetime keeps the local time of day.
        begins = midnight.replace(hour=6)
        return int(begins.timestamp()), int((begins + timedelta(days=1)).timestamp())
