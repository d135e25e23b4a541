"""A day without a gap and without an overlap, for partners who can take no other. Everybody else gets schedules as
they are, gaps and overlaps included. How the day is cut is in :mod:`~schedules_pipeline.domain.day_cut`.
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
from schedules_pipeline.domain.published import Showing


class Slot(NamedTuple):
    """``showing`` is None where the service is off air. Where it was cut, its own times are wider than the slot's."""

    interval: Interval
    showing: Showing | None


@dataclass(frozen=True, slots=True)
class ContinuousDay:
    """``slots``: the first begins with the window, each begins where the one before it ends, the last ends with it.

    ``overlapped``: showings that later ones took time from, or all of it. ``straddling``: those that were cut at an
    edge of the window.
    """

    slots: tuple[Slot, ...]
    overlapped: int
    straddling: int

    @property
    def off_air(self) -> int:
        """How many slots stand where nothing runs."""
        return sum(slot.showing is None for slot in self.slots)


def make_continuous(window: Interval, showings: Sequence[Showing]) -> ContinuousDay:
    """At each instant the showing that began last of those that run then; of two that began at once, the one whose
    pid comes later; off air where none runs. So what is interrupted goes on when the interruption has ended.
    """
    running = [showing for showing in showings if showing.interval.overlaps(window)]
    running.sort(key=lambda showing: (showing.start, showing.broadcast_pid))
    slots = tuple(_joined(_pieces(window, running)))
    return ContinuousDay(
        slots,
        _count_overlapped(window, running, slots),
        sum(showing.start < window.start or showing.end > window.end for showing in running),
    )


def _pieces(window: Interval, showings: Sequence[Showing]) -> Iterator[Slot]:
    """What is shown between any two instants at which something begins or ends."""
    edges = {instant for showing in showings for instant in showing.interval if window.contains(instant)}
    running: list[tuple[int, Showing]] = []
    begun = 0
    for start, end in pairwise(sorted(edges | {window.start, window.end})):
        while begun < len(showings) and showings[begun].start <= start:
            heappush(running, (-begun, showings[begun]))
            begun += 1
        while running and running[0][1].end <= start:
            heappop(running)
        yield Slot(Interval(start, end), running[0][1] if running else None)


def _joined(pieces: Iterator[Slot]) -> Iterator[Slot]:
    for _, together in groupby(pieces, key=lambda piece: piece.showing and piece.showing.broadcast_pid):
        first, *others = together
        last = others[-1] if others else first
        yield Slot(Interval(first.interval.start, last.interval.end), first.showing)


def _count_overlapped(window: Interval, showings: Sequence[Showing], slots: Sequence[Slot]) -> int:
    shown: defaultdict[Pid, timedelta] = defaultdict(timedelta)
    for slot in slots:
        if slot.showing:
            shown[slot.showing.broadcast_pid] += slot.interval.length
    return sum(
        shown[showing.broadcast_pid] < min(showing.end, window.end) - max(showing.start, window.start)
        for showing in showings
    )
