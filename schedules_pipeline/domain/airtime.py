"""Airtime: the time that broadcasts cover, as intervals that neither touch nor overlap, in order."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from schedules_pipeline.domain.interval import Interval

Airtime = tuple[Interval, ...]


def union(intervals: Iterable[Interval]) -> Airtime:
    """The time that at least one of the intervals covers."""
    joined: list[Interval] = []
    for interval in sorted(intervals):
        if interval.end <= interval.start:
            continue
        if joined and interval.start <= joined[-1].end:
            joined[-1] = Interval(joined[-1].start, max(joined[-1].end, interval.end))
        else:
            joined.append(interval)
    return tuple(joined)


def clip(airtime: Airtime, window: Interval) -> Airtime:
    """The part of the airtime within a window."""
    parts = (Interval(max(start, window.start), min(end, window.end)) for start, end in airtime)
    return tuple([part for part in parts if part.start < part.end])


def length(airtime: Airtime) -> timedelta:
    return sum((interval.length for interval in airtime), timedelta(0))


def length_within(airtime: Airtime, window: Interval) -> timedelta:
    """How much of the window the airtime covers."""
    return length(clip(airtime, window))


def contains(airtime: Airtime, other: Airtime) -> bool:
    """Whether the airtime covers all of the other."""
    return union([*airtime, *other]) == airtime


def to_come(window: Interval, now: datetime) -> Interval:
    """The part of a broadcast day that has not been on air yet; empty when the day is over."""
    return Interval(min(max(window.start, now), window.end), window.end)
