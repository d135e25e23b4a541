"""A day without gaps and overlaps, for formats that allow neither. Other formats keep gaps and overlaps.
:mod:`~schedules_pipeline.domain.day_cut` cuts the day.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from heapq import heappop, heappush
from itertools import groupby, pairwise
from typing import NamedTuple

from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.published import Broadcast


class Segment(NamedTuple):
    """``broadcast`` is None while the service is off air. A cut broadcast keeps its own, wider times."""

    interval: Interval
    broadcast: Broadcast | None


@dataclass(frozen=True, slots=True)
class ContinuousDay:
    """``segments``: the first begins with the window, each begins where the one before it ends, the last ends with it.

    ``overlapped``: broadcasts that later ones took time from, or all of it. ``straddling``: those that were cut at an
    edge of the window.
    """

    segments: tuple[Segment, ...]
    overlapped: int
    straddling: int

    @property
    def off_air(self) -> int:
        """How many segments stand where nothing runs."""
        return sum(segment.broadcast is None for segment in self.segments)


def make_continuous(window: Interval, broadcasts: Sequence[Broadcast]) -> ContinuousDay:
    """At each instant the service shows the running broadcast that began last; of two that began at once, the one
    with the greater pid. So an interrupted broadcast continues after the interruption.
    """
    running = [broadcast for broadcast in broadcasts if broadcast.interval.overlaps(window)]
    running.sort(key=lambda broadcast: (broadcast.start, broadcast.broadcast_pid))
    segments = tuple(_joined(_pieces(window, running)))
    return ContinuousDay(
        segments,
        _count_overlapped(window, running, segments),
        sum(broadcast.start < window.start or broadcast.end > window.end for broadcast in running),
    )


def _pieces(window: Interval, broadcasts: Sequence[Broadcast]) -> Iterator[Segment]:
    """One segment between each two instants at which a broadcast begins or ends."""
    edges = {
        instant for broadcast in broadcasts for instant in broadcast.interval if window.contains(instant)
    }
    running: list[tuple[int, Broadcast]] = []
    begun = 0
    for start, end in pairwise(sorted(edges | {window.start, window.end})):
        while begun < len(broadcasts) and broadcasts[begun].start <= start:
            heappush(running, (-begun, broadcasts[begun]))
            begun += 1
        while running and running[0][1].end <= start:
            heappop(running)
        yield Segment(Interval(start, end), running[0][1] if running else None)


def _joined(pieces: Iterator[Segment]) -> Iterator[Segment]:
    for _, together in groupby(pieces, key=lambda piece: piece.broadcast and piece.broadcast.broadcast_pid):
        first, *others = together
        last = others[-1] if others else first
        yield Segment(Interval(first.interval.start, last.interval.end), first.broadcast)


def _count_overlapped(window: Interval, broadcasts: Sequence[Broadcast], segments: Sequence[Segment]) -> int:
    shown: defaultdict[Pid, timedelta] = defaultdict(timedelta)
    for segment in segments:
        if segment.broadcast:
            shown[segment.broadcast.broadcast_pid] += segment.interval.length
    return sum(
        shown[broadcast.broadcast_pid] < min(broadcast.end, window.end) - max(broadcast.start, window.start)
        for broadcast in broadcasts
    )
