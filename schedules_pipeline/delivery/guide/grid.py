"""The guide as a grid: services as rows, time across, broadcasts as blocks. Pure.

Belongs here: positions of blocks, overlaps, gaps, and the wording of times. Does not belong here: markup (``pages``
and the templates).

Positions and lengths are elapsed whole minutes from the window's start, so days of 23 and 25 hours have their real
length. A stylesheet turns them into distances.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import zip_longest
from operator import attrgetter
from typing import Final
from zoneinfo import ZoneInfo

from schedules_pipeline.domain.airing import Airing, find_airings
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.published import PublishedSchedule
from schedules_pipeline.errors import InvalidIdentifier

MOST_BLOCKS: Final = 400
"""In one row; the page of the schedule lists all."""

MOST_LANES: Final = 3
"""How many overlapping broadcasts are drawn below each other."""

SHORT_MINUTES: Final = 10
"""Programmes of at most this length are listed below each other if several follow one another."""

_NEAR_BLOCKS = 2
_FEWEST_LISTED = 3
_LINES_OF_LANE = 3
_LINES_OF_COLUMN = MOST_LANES * _LINES_OF_LANE
_SHORTEST_WINDOW = timedelta(hours=6)
_OPENS_BEFORE = timedelta(minutes=30)
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_EVENING = time(19)
_LOCAL_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cell:
    """``offset`` and ``length``: minutes within the window, at least one long. ``is_near``: one of the few around the
    frame's focus.
    """

    offset: int
    length: int
    is_near: bool

    @property
    def end(self) -> int:
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class Listing:
    """The place of a short broadcast in a column of them. ``offset`` and ``length``: minutes of the whole column.
    ``line``: counted from the top.
    """

    offset: int
    length: int
    line: int


@dataclass(frozen=True, slots=True)
class Block(Cell):
    """A broadcast. ``lane``: 0, or more if it overlaps a broadcast that begins before it. ``listing``: where it is
    drawn if it is one of several short ones.
    """

    airing: Airing
    lane: int
    listing: Listing | None = None

    @property
    def lowest_lane(self) -> int:
        return self.listing.line // _LINES_OF_LANE if self.listing else self.lane


@dataclass(frozen=True, slots=True)
class Gap(Cell):
    """Time in which a service shows nothing."""

    interval: Interval


@dataclass(frozen=True, slots=True)
class Row:
    """One service. ``has_schedule``: whether a schedule of the day itself is published. ``left_out``: how many
    broadcasts the row has no room for.
    """

    key: ScheduleKey
    has_schedule: bool
    blocks: tuple[Block, ...]
    gaps: tuple[Gap, ...]
    left_out: int

    @property
    def lanes(self) -> int:
        return max((block.lowest_lane for block in self.blocks), default=0) + 1

    @property
    def overlaps(self) -> bool:
        return any(block.lane for block in self.blocks)

    @property
    def cells(self) -> list[Block | Gap]:
        """In order of time, which is the order of reading."""
        return sorted([*self.blocks, *self.gaps], key=attrgetter("offset"))


@dataclass(frozen=True, slots=True)
class Tick:
    """A whole hour of local time, with its day if another day begins, and its minute from the window's start."""

    offset: int
    label: str


@dataclass(frozen=True, slots=True)
class Frame:
    """What all rows have in common. ``window``: the interval that is shown. ``focus``: the moment that the page is
    about, which is ``now`` if the window contains it.
    """

    date: date
    window: Interval
    focus: datetime
    now: datetime
    zone: ZoneInfo

    @property
    def minutes(self) -> int:
        return _minutes(self.window.length)

    @property
    def is_now(self) -> bool:
        return self.window.contains(self.now)

    @property
    def changes_clocks(self) -> bool:
        """Whether the window contains a clock change."""
        start, end = (at.astimezone(self.zone).utcoffset() for at in self.window)
        return start != end

    def offset(self, at: datetime) -> int:
        """Minutes from the window's start, within the window."""
        return _minutes(min(max(at, self.window.start), self.window.end) - self.window.start)

    def clock(self, at: datetime) -> str:
        """``19:30``; ``19:30 GMT`` in a window with a clock change."""
        return f"{at.astimezone(self.zone):{'%H:%M %Z' if self.changes_clocks else '%H:%M'}}"

    def ticks(self) -> list[Tick]:
        local = self.window.start.astimezone(self.zone)
        first = self.window.start + (
            _HOUR - timedelta(minutes=local.minute) if local.minute else timedelta(0)
        )
        hours = -(-(self.window.end - first) // _HOUR)
        return list(self._ticks(first + n * _HOUR for n in range(hours)))

    def _ticks(self, hours: Iterable[datetime]) -> Iterator[Tick]:
        """The first hour of another day names it."""
        before = self.date
        for at in hours:
            day = at.astimezone(self.zone).date()
            label = self.clock(at) if day == before else f"{self.clock(at)} {day:%a %-d %b}"
            yield Tick(self.offset(at), label)
            before = day


def day_of(calendar: BroadcastCalendar, sid: Sid, now: datetime) -> date:
    """The service's broadcast day at this moment; of two days of radio the later."""
    today = now.astimezone(calendar.zone).date()
    return today if calendar.window(ScheduleKey(sid, today)).contains(now) else today - _DAY


def parse_begin(text: str) -> time | None:
    """Read ``HH:MM``; None for nothing. Raise :class:`InvalidIdentifier` for anything else."""
    if not text:
        return None
    if not _LOCAL_TIME.fullmatch(text):
        raise InvalidIdentifier(f"not a time of day: {text[:20]!r} (expected HH:MM)")
    return time.fromisoformat(text)


def opening_time(calendar: BroadcastCalendar, day: ScheduleKey, now: datetime) -> time | None:
    """The local time at which a page of today begins: the whole hour before the last half hour. None on other days."""
    at = now - _OPENS_BEFORE
    if not calendar.window(day).contains(at):
        return None
    return at.astimezone(calendar.zone).time().replace(minute=0, second=0, microsecond=0, fold=0)


def frame_of(
    calendar: BroadcastCalendar, day: ScheduleKey, now: datetime, begin: time | None = None
) -> Frame:
    """A service's day, or its part from the time ``begin`` on, and then at least six hours, which may be of the next
    day. A time that the day does not have has no effect. On other days than today, the focus is the evening.
    """
    whole = calendar.window(day)
    cut = _first(calendar, day.date, whole, begin) if begin else None
    start = cut or whole.start
    window = Interval(start, max(whole.end, start + _SHORTEST_WINDOW))
    evening = _first(calendar, day.date, window, _EVENING)
    focus = now if window.contains(now) else cut or evening or window.start
    return Frame(day.date, window, focus, now, calendar.zone)


def _first(calendar: BroadcastCalendar, on: date, window: Interval, at: time) -> datetime | None:
    """The first instant of this local time in the window; None without one."""
    instants = (calendar.instant(on + n * _DAY, at) for n in range(3))
    return next((instant for instant in instants if window.contains(instant)), None)


def airings_in(window: Interval, schedules: Iterable[PublishedSchedule]) -> list[Airing]:
    """The airings in the window, in order of start, then of service."""
    return [airing for airing in find_airings(schedules) if airing.broadcast.interval.overlaps(window)]


def row_of(frame: Frame, key: ScheduleKey, schedules: Mapping[ScheduleKey, PublishedSchedule]) -> Row:
    """One service's row. ``schedules``: the published ones of the day and its neighbours."""
    airings = airings_in(frame.window, schedules.values())
    kept = airings[:MOST_BLOCKS]
    near = [airing for airing in kept if airing.broadcast.end > frame.focus][:_NEAR_BLOCKS]
    lanes = assign_lanes([airing.broadcast.interval for airing in kept])
    blocks = [
        Block(*_place(frame, airing.broadcast.interval), airing in near, airing, lane)
        for airing, lane in zip(kept, lanes, strict=True)
    ]
    gaps = tuple(_gaps(frame, kept)) if kept else ()
    return Row(key, key in schedules, tuple(_list_short(blocks)), gaps, len(airings) - len(kept))


def _list_short(blocks: Sequence[Block]) -> Iterator[Block]:
    """The blocks, with a place in a column for those that are short and follow one another without a gap."""
    run: list[Block] = []
    lower_lanes_end = 0
    for block, following in zip_longest(blocks, blocks[1:]):
        is_alone = block.offset >= lower_lanes_end and (following is None or following.offset >= block.end)
        is_listed = is_alone and block.lane == 0 and block.length <= SHORT_MINUTES
        if run and not (is_listed and run[-1].end == block.offset):
            yield from _columns(run)
            run = []
        if is_listed:
            run.append(block)
        else:
            yield block
        if block.lane:
            lower_lanes_end = max(lower_lanes_end, block.end)
    yield from _columns(run)


def _columns(run: Sequence[Block]) -> Iterator[Block]:
    if len(run) < _FEWEST_LISTED:
        yield from run
        return
    count = -(-len(run) // _LINES_OF_COLUMN)
    for number in range(count):
        # Columns of nearly equal lengths: none is left with a single broadcast.
        column = run[number * len(run) // count : (number + 1) * len(run) // count]
        offset = column[0].offset
        for line, block in enumerate(column):
            yield replace(block, listing=Listing(offset, column[-1].end - offset, line))


def assign_lanes(intervals: Sequence[Interval]) -> list[int]:
    """For each interval, in order of start, a lane in which no earlier one still runs. If no lane is free, the last
    lane holds several.
    """
    ends: list[datetime] = []
    lanes: list[int] = []
    for interval in intervals:
        free = (n for n, end in enumerate(ends) if end <= interval.start)
        lane = next(free, min(len(ends), MOST_LANES - 1))
        if lane == len(ends):
            ends.append(interval.end)
        ends[lane] = max(ends[lane], interval.end)
        lanes.append(lane)
    return lanes


def _place(frame: Frame, interval: Interval) -> tuple[int, int]:
    """The offset and length of an interval that overlaps the window. The end is rounded up, so that a broadcast of
    less than a minute is visible.
    """
    offset = min(frame.offset(interval.start), frame.minutes - 1)
    end = frame.offset(interval.end + _MINUTE - timedelta(microseconds=1))
    return offset, max(1, end - offset)


def _gaps(frame: Frame, airings: Sequence[Airing]) -> Iterator[Gap]:
    """The gaps of at least a minute."""
    covered = frame.window.start
    for start, end in [
        *(airing.broadcast.interval for airing in airings),
        Interval(frame.window.end, frame.window.end),
    ]:
        if start - covered >= _MINUTE:
            offset = frame.offset(covered)
            is_near = covered <= frame.focus < start
            yield Gap(offset, frame.offset(start) - offset, is_near, Interval(covered, start))
        covered = max(covered, end)


def _minutes(length: timedelta) -> int:
    return length // _MINUTE
