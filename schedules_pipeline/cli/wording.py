"""Texts for people: strings made safe for a terminal, instants, durations, counts. Pure."""

from datetime import datetime, timedelta, tzinfo

from schedules_pipeline.domain.printable import printable as made_printable


def printable(text: object) -> str:
    """One line, with control characters, line ends and direction marks escaped."""
    return made_printable(str(text))


def local(instant: datetime, zone: tzinfo) -> str:
    """``28 Mar 2026 12:00:00 GMT``: local time and the zone's name at that instant."""
    return f"{instant.astimezone(zone):%d %b %Y %H:%M:%S %Z}"


def clock(instant: datetime, zone: tzinfo) -> str:
    """``12:00``."""
    return f"{instant.astimezone(zone):%H:%M}"


def duration(length: timedelta | float) -> str:
    """``0.42 s``, ``12 s``, ``3 min 20 s``, ``5 h 10 min``, ``3 days 4 h``: the two greatest units."""
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    if abs(seconds) < 10:  # noqa: PLR2004 - the fraction matters only below it
        return f"{seconds:.2f} s"
    sign, whole = "-" if seconds < 0 else "", int(abs(seconds))
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{sign}{counted(days, 'day')} {hour} h"
    if hours:
        return f"{sign}{hour} h {minute} min"
    return f"{sign}{minute} min {second} s" if minutes else f"{sign}{second} s"


def ago(instant: datetime, now: datetime) -> str:
    return f"{duration(now - instant)} ago"


def counted(number: int, thing: str, things: str = "") -> str:
    """``1 schedule``, ``2 schedules``, ``1,204 schedules``."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"
