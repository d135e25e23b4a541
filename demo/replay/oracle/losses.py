"""Losses that partners got and that the source took back within a day: faults of the source that should have been held.

A loss is airtime still to come that the fullest state of the last 24 hours covered with known programmes, or blanked,
and the new state does not.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta

from demo.replay.oracle.airtime import Airtime, Span, clip, length, subtract, union
from demo.replay.oracle.days import Key
from demo.replay.oracle.guide import Content
from demo.replay.oracle.instants import seconds_of

DAY_SECONDS = int(timedelta(days=1).total_seconds())


@dataclass(slots=True)
class Loss:
    """``restored_at``: when the source covered at least half of it again; None until then."""

    key: Key
    at: int
    lost: Airtime
    restored_at: int | None = None

    @property
    def seconds(self) -> int:
        return length(self.lost)


def usable(content: Content | None) -> Airtime:
    """The airtime of broadcasts that show a programme or are blanked."""
    return union(
        (seconds_of(slot["start"]), seconds_of(slot["end"]))
        for slot in content or ()
        if slot["is_blanked"] or slot["episode"] is not None
    )


class Losses:
    """``smallest``: losses of fewer seconds are not recorded."""

    def __init__(self, smallest: int = 60) -> None:
        self.all: list[Loss] = []
        self._smallest = smallest
        self._open: defaultdict[Key, list[Loss]] = defaultdict(list)
        self._earlier: defaultdict[Key, list[tuple[int, Airtime]]] = defaultdict(list)
        self._current: dict[Key, Airtime] = {}

    def published(self, key: Key, now: int, day: Span, content: Content | None) -> None:
        """Record what partners have from now on. ``day``: the broadcast day of the schedule."""
        after, before = usable(content), self._current.get(key)
        self._current[key] = after
        if before is None:
            return
        recent = [state for state in self._earlier[key] if state[0] > now - DAY_SECONDS]
        self._earlier[key] = [*recent, (now, before)]
        begins = max(day[0], now)
        fullest = max((clip(airtime, begins, day[1]) for _, airtime in self._earlier[key]), key=length)
        lost: Airtime = subtract(fullest, after)
        for known in self._open[key]:
            lost = subtract(lost, known.lost)
        if length(lost) >= self._smallest:
            loss = Loss(key, now, lost)
            self.all.append(loss)
            self._open[key].append(loss)

    def source_said(self, key: Key, now: int, content: Content | None) -> None:
        """Close the losses that the source has taken back, and those that are older than a day."""
        said, still_open = usable(content), []
        for loss in self._open[key]:
            is_restored = 2 * length(subtract(loss.lost, said)) <= loss.seconds
            if is_restored and now - loss.at <= DAY_SECONDS:
                loss.restored_at = now
            elif now - loss.at <= DAY_SECONDS and not is_restored:
                still_open.append(loss)
        self._open[key] = still_open

    def faults(self) -> list[Loss]:
        """The losses that the source took back, the longest first."""
        return sorted((loss for loss in self.all if loss.restored_at), key=lambda loss: -loss.seconds)
