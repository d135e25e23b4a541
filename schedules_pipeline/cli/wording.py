"""Words for people: texts of others made safe for a terminal, instants, durations, counts. Pure."""

from datetime import datetime, timedelta, tzinfo

from schedules_pipeline.domain.printable import printable as made_printable


def printable(text: object) -> str:
    """The text on one line, with whatever could steer a terminal or turn the line round written as an escape."""
    return made_printable(str(text))


def local(instant: datetime, zone: tzinfo) -> str:
    """``28 Mar 2026 12:00:00 GMT``: local time, with the name that the zone has at that instant."""
    return f"{instant.astimezone(zone):%d %b %Y %H:%M:%S %Z}"


def clock(instant: datetime, zone: tzinfo) -> str:
    """``12:00``."""
    return f"{instant.astimezone(zone):%H:%M}"


def duration(length: timedelta | float) -> str:
    """``0.42 s``, ``12 s``, ``3 min 20 s``, ``5 h 10 min``, ``3 days 4 h``: two units, and no more."""
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    if abs(seconds) < 10:  # noqa: PLR2004 - below it a fraction can be felt
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


def yes_no(value: bool) -> str:
    return "yes" if value else "no"
