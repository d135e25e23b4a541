"""Gaps and overlaps of each service in what partners had while it was on air: one timeline, not one document a day."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from demo.replay.oracle.days import Key
from demo.replay.oracle.guide import Content, Document
from demo.replay.oracle.instants import seconds_of

_MARGIN_DAYS = 2
"""How far the broadcasts of a document may be from its date."""

_DAY_SECONDS = 86_400


@dataclass(slots=True)
class Seam:
    """A gap or overlap between two broadcasts, as far as it was on air. ``keys``: the days of the two."""

    is_gap: bool
    sid: str
    start: int
    end: int
    keys: tuple[Key, Key]
    pids: tuple[str, str]
    next_start: str
    """When the later of the two begins."""
    is_reported: bool = False

    @property
    def seconds(self) -> int:
        return self.end - self.start

    @property
    def is_between_days(self) -> bool:
        return self.keys[0] != self.keys[1]


class OnAir:
    def __init__(self) -> None:
        self.seams: dict[tuple[bool, tuple[str, str], str], Seam] = {}
        self._days: defaultdict[str, dict[str, list[tuple[int, int, Document]]]] = defaultdict(dict)

    def published(self, key: Key, content: Content | None) -> None:
        """Record what partners have from now on."""
        slots = [(seconds_of(slot["start"]), seconds_of(slot["end"]), slot) for slot in content or ()]
        self._days[key[0]][key[1]] = slots

    def pass_time(self, start: int, end: int) -> list[Seam]:
        """What was on air between two instants; returns the seams that are new."""
        new = []
        for sid in self._days:
            for seam in _seams(sid, self._around(sid, start, end), start, end):
                known = self.seams.get((seam.is_gap, seam.pids, seam.next_start))
                if known is None:
                    self.seams[seam.is_gap, seam.pids, seam.next_start] = seam
                    new.append(seam)
                else:
                    known.end = max(known.end, seam.end)
        return new

    def _around(self, sid: str, start: int, end: int) -> list[tuple[int, int, Document, Key]]:
        """The broadcasts of a service near this time, by start; one that two days list counts once."""
        days, found = self._days[sid], {}
        for day in range(start // _DAY_SECONDS - _MARGIN_DAYS, end // _DAY_SECONDS + _MARGIN_DAYS + 1):
            date = datetime.fromtimestamp(day * _DAY_SECONDS, UTC).date().isoformat()
            for begins, ends, slot in days.get(date, ()):
                found[begins, ends, slot["broadcast_pid"]] = (begins, ends, slot, (sid, date))
        return [found[place] for place in sorted(found)]


def _seams(
    sid: str, line_up: Sequence[tuple[int, int, Document, Key]], start: int, end: int
) -> Iterator[Seam]:
    """Compare each broadcast with the one before it that ends last."""
    for last, this in _neighbours(line_up):
        is_gap = this[0] > last[1]
        spot = (last[1], this[0]) if is_gap else (this[0], min(last[1], this[1]))
        begins, ends = max(spot[0], start), min(spot[1], end)
        if begins < ends:
            pids = (last[2]["broadcast_pid"], this[2]["broadcast_pid"])
            yield Seam(is_gap, sid, begins, ends, (last[3], this[3]), pids, this[2]["start"])


def _neighbours(
    line_up: Sequence[tuple[int, int, Document, Key]],
) -> Iterator[tuple[tuple[int, int, Document, Key], tuple[int, int, Document, Key]]]:
    last = None
    for this in line_up:
        if last is not None and this[0] != last[1]:
            yield last, this
        if last is None or this[1] > last[1]:
            last = this
