"""A day without gaps and overlaps, for formats that allow neither. Other formats keep gaps and overlaps.
:mod:`~schedules_pipeline.domain.day_cut` cuts the day.
"""

from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from itertools import groupby, pairwise
from typing import NamedTuple

from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.published import Broadcast


class Segment(NamedTuple):
    """``broadcast`` is None while the service is off air. A cut broadcast keeps its own, wider times."""

    interval: Interval
    broadcast: Broadcast | None


def make_continuous(window: Interval, broadcasts: Sequence[Broadcast]) -> tuple[Segment, ...]:
    """Segments that cover the window without gaps and overlaps.

    At each instant the service shows the running broadcast that began last; of two that began at once, the one with
    the greater pid. So an interrupted broadcast continues after the interruption.
    """
    running = [broadcast for broadcast in broadcasts if broadcast.interval.overlaps(window)]
    running.sort(key=lambda broadcast: (broadcast.start, broadcast.broadcast_pid))
    return tuple(_joined(_pieces(window, running)))


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
