"""Days, times and durations as the guide words them. Pure."""

from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_NEAR_A_CHANGE: Final = timedelta(hours=30)
"""As long as the longest broadcast day, so that all times of a day have the same form."""

_MINUTE, _HOUR = 60, 3_600
_LEAST = 0.01
"""Clocks differ by more than what is less than this."""


def long_date(on: date) -> str:
    """``Saturday 28 March 2026``."""
    return f"{on:%A %-d %B %Y}"


def clock(at: datetime, zone: ZoneInfo) -> str:
    """``19:30``; ``01:30 BST`` within 30 hours of a clock change, where the hour alone may be of two instants."""
    offsets = {(at + by).astimezone(zone).utcoffset() for by in (-_NEAR_A_CHANGE, _NEAR_A_CHANGE)}
    return f"{at.astimezone(zone):{'%H:%M %Z' if len(offsets) > 1 else '%H:%M'}}"


def clock_on(at: datetime, on: date, zone: ZoneInfo) -> str:
    """As :func:`clock`, with the day of the week if it is another day than ``on``: ``Sun 00:30``."""
    local = at.astimezone(zone)
    return clock(at, zone) if local.date() == on else f"{local:%a} {clock(at, zone)}"


def format_moment(at: datetime | str, zone: ZoneInfo) -> str:
    """``28 Mar 2026, 19:30:05 GMT``. Text that is not an instant in ISO format is returned unchanged."""
    try:
        instant = at if isinstance(at, datetime) else datetime.fromisoformat(at)
    except ValueError:
        return str(at)
    return f"{instant.astimezone(zone):%-d %b %Y, %H:%M:%S %Z}"


def format_seconds(seconds: float) -> str:
    """``0.02 s``, ``6.0 s``, ``2 min 5 s`` or ``3 h 20 min``."""
    if seconds < _MINUTE:
        return f"{max(seconds, _LEAST):.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
