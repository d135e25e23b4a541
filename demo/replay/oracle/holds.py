"""Times at which partners were behind the source because a document was held or rejected, and whether that was right.

A hold was wrong if the source still said the same when the airtime in question began. The airtime in question is what
the held document lacks; if it lacks nothing, the whole broadcast day.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from demo.replay.oracle.airtime import Airtime, Span, clip, length, subtract
from demo.replay.oracle.days import BroadcastDays, Key
from demo.replay.oracle.guide import Content
from demo.replay.oracle.instants import seconds_of
from demo.replay.oracle.losses import usable


class Verdict(StrEnum):
    WRONG = "wrong"
    RIGHT = "right"
    UNDECIDED = "undecided"


@dataclass(slots=True)
class Hold:
    """``until``: when partners had what the source said; None if they never did. ``decided_at``: when the airtime in
    question begins.
    """

    key: Key
    since: int
    day: Span
    lost: Airtime
    decided_at: int
    until: int | None = None
    verdict: Verdict = Verdict.UNDECIDED

    def seconds_behind(self, now: int) -> int:
        """Up to now, and up to the end of the broadcast day."""
        return length(clip([(self.since, now if self.until is None else self.until)], 0, self.day[1]))

    def seconds_on_air(self, now: int) -> int:
        """The part of it in the broadcast day itself."""
        return length(clip([(self.since, now if self.until is None else self.until)], *self.day))


@dataclass(slots=True)
class Holds:
    days: BroadcastDays
    all: list[Hold] = field(default_factory=list)
    _open: dict[Key, Hold] = field(default_factory=dict)
    _undecided: list[Hold] = field(default_factory=list)

    def behind(self, key: Key, now: int, said: Content | None, shown: Content | None) -> None:
        """Partners see ``shown`` although the source says ``said``."""
        day = self.days.span(key)
        if now >= day[1]:
            return
        lost = clip(subtract(usable(shown), usable(said)), max(day[0], now), day[1])
        begins = _first_start(shown, lost, now) if lost else max(day[0], now)
        hold = self._open.get(key)
        if hold is None:
            hold = self._open[key] = Hold(key, now, day, lost, begins)
            self.all.append(hold)
            self._undecided.append(hold)
        elif hold.verdict is Verdict.UNDECIDED and length(lost) > length(hold.lost):
            hold.lost, hold.decided_at = lost, begins

    def level(self, key: Key, now: int) -> None:
        """Partners see what the source says."""
        hold = self._open.pop(key, None)
        if hold is not None:
            hold.until = now

    def due(self, now: int) -> list[Hold]:
        """Holds whose airtime begins by now and that have no verdict."""
        return [hold for hold in self._undecided if hold.decided_at <= now]

    def decide(self, hold: Hold, said: Content | None) -> None:
        """Give the verdict by what the source says when the airtime begins."""
        missing = length(subtract(hold.lost, usable(said)))
        hold.verdict = Verdict.WRONG if 2 * missing >= length(hold.lost) else Verdict.RIGHT
        self._undecided.remove(hold)


def _first_start(shown: Content | None, lost: Airtime, now: int) -> int:
    """When the first lost broadcast begins that has not begun yet; the end of the loss if all have."""
    starts = [seconds_of(slot["start"]) for slot in shown or ()]
    later = [start for start in starts if start > now and any(a <= start < b for a, b in lost)]
    return min(later, default=lost[-1][1])
