"""The guide as a grid: services as rows, time across, showings as blocks. Pure.

Belongs here: positions of blocks, overlaps, gaps, and the wording of times. Does not belong here: markup (``pages``
and the templates), and a schedule's detail (``detail``).

Positions and lengths are elapsed whole minutes from the window's start, so days of 23 and 25 hours have their real
length. A stylesheet turns them into distances.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from hashlib import blake2b
from operator import attrgetter
from typing import Final
from zoneinfo import ZoneInfo

from schedules_pipeline.domain.airing import Airing, find_airings
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.published import Broadcast, PublishedSchedule
from schedules_pipeline.errors import InvalidIdentifier

MOST_BLOCKS: Final = 400
"""In one row; the page of the schedule lists all."""

MOST_LANES: Final = 3
"""How many overlapping broadcasts are drawn below each other."""

_NEAR_BLOCKS = 3
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_EVENING = time(19)
_LOCAL_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)


class Kind(StrEnum):
    """The kind of a showing. ``BLANKED``: it keeps its slot and shows no programme. ``UNKNOWN``: the catalogue
    lacks its episode.
    """

    PROGRAMME = "programme"
    BLANKED = "blanked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Block:
    """A showing in the grid. ``offset`` and ``length``: minutes, within the window, at least one long.

    ``lane``: 0, or more where it overlaps one that begins before it. ``is_near``: one of the few around the moment
    that the page is about. ``fingerprint`` differs when anything differs that is shown of it.
    """

    key: ScheduleKey
    pid: Pid
    offset: int
    length: int
    lane: int
    kind: Kind
    starts: str
    ends: str
    title: str
    subtitle: str
    is_repeat: bool
    is_signed: bool
    is_audio_described: bool
    is_on_air: bool
    is_near: bool
    begins_before: bool
    goes_beyond: bool
    fingerprint: str

    @property
    def end(self) -> int:
        return self.offset + self.length

    @property
    def overlaps(self) -> bool:
        return self.lane > 0


@dataclass(frozen=True, slots=True)
class Gap:
    """Time in which a service shows nothing; minutes as in :class:`Block`. ``is_near``: it is what the service shows
    at the moment that the page is about.
    """

    offset: int
    length: int
    starts: str
    ends: str
    is_near: bool

    @property
    def end(self) -> int:
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class Row:
    """One service. ``has_schedule`` says whether one is published of the day itself. ``left_out`` counts the
    showings for which there is no room.
    """

    sid: Sid
    name: str
    date: date
    has_schedule: bool
    blocks: tuple[Block, ...]
    gaps: tuple[Gap, ...]
    lanes: int
    left_out: int

    @property
    def cells(self) -> list[Block | Gap]:
        """In the order of time, which is the order of reading."""
        return sorted([*self.blocks, *self.gaps], key=attrgetter("offset"))


@dataclass(frozen=True, slots=True)
class Tick:
    """A whole hour of local time, and its minute from the window's start."""

    offset: int
    label: str


@dataclass(frozen=True, slots=True)
class Frame:
    """What all rows have in common. ``window``: the stretch of time that is shown. ``focus``: the moment that the
    page is about: now, where it lies in the window.
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
    def now_offset(self) -> int:
        return self.offset(self.now)

    @property
    def focus_offset(self) -> int:
        return self.offset(self.focus)

    @property
    def changes_clocks(self) -> bool:
        """Whether the same time on the wall comes twice in the window, or never."""
        start, end = (at.astimezone(self.zone).utcoffset() for at in self.window)
        return start != end

    def offset(self, at: datetime) -> int:
        """Minutes from the window's start, within the window."""
        return _minutes(min(max(at, self.window.start), self.window.end) - self.window.start)

    def clock(self, at: datetime) -> str:
        """``19:30``; with the zone's name where that time alone would not say which."""
        return f"{at.astimezone(self.zone):{'%H:%M %Z' if self.changes_clocks else '%H:%M'}}"

    def ticks(self) -> list[Tick]:
        local = self.window.start.astimezone(self.zone)
        first = self.window.start + (
            _HOUR - timedelta(minutes=local.minute) if local.minute else timedelta(0)
        )
        hours = -(-(self.window.end - first) // _HOUR)
        return [Tick(self.offset(at), self.clock(at)) for at in (first + n * _HOUR for n in range(hours))]


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


def days_around(on: date) -> list[date]:
    """The broadcast days whose schedules may show something on this one."""
    return [on - _DAY, on, on + _DAY]


def frame_of(
    calendar: BroadcastCalendar, day: ScheduleKey, now: datetime, begin: time | None = None
) -> Frame:
    """A service's day, from a time of day on where one is given; without effect where the day has no such time. Where
    now is another day, the page is about the evening.
    """
    whole = calendar.window(day)
    cut = _first(calendar, day.date, whole, begin) if begin else None
    window = Interval(cut or whole.start, whole.end)
    evening = _first(calendar, day.date, window, _EVENING)
    focus = now if window.contains(now) else cut or evening or window.start
    return Frame(day.date, window, focus, now, calendar.zone)


def _first(calendar: BroadcastCalendar, on: date, window: Interval, at: time) -> datetime | None:
    """When it is first so late in the window; None where it never is."""
    instants = (calendar.instant(on + n * _DAY, at) for n in range(3))
    return next((instant for instant in instants if window.contains(instant)), None)


def airings_in(window: Interval, schedules: Iterable[PublishedSchedule]) -> list[Airing]:
    """The airings in the window, in order of start, then of service."""
    return [airing for airing in find_airings(schedules) if airing.broadcast.interval.overlaps(window)]


def row_of(
    frame: Frame, key: ScheduleKey, name: str, schedules: Mapping[ScheduleKey, PublishedSchedule]
) -> Row:
    """One service's row. ``schedules``: those of the days around, as far as there are any."""
    airings = airings_in(frame.window, schedules.values())
    kept = airings[:MOST_BLOCKS]
    near = {airing.broadcast.broadcast_pid for airing in _near(kept, frame.focus)}
    lanes = assign_lanes([airing.broadcast.interval for airing in kept])
    blocks = tuple(
        block_of(frame, airing, lane, is_near=airing.broadcast.broadcast_pid in near)
        for airing, lane in zip(kept, lanes, strict=True)
    )
    gaps = tuple(_gaps(frame, kept)) if kept else ()
    return Row(
        key.sid,
        name,
        key.date,
        key in schedules,
        blocks,
        gaps,
        max(lanes, default=0) + 1,
        len(airings) - len(kept),
    )


def assign_lanes(intervals: Sequence[Interval]) -> list[int]:
    """For each interval, in order of start, a lane in which no earlier one still runs. If there is none
    left, the last lane holds several.
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


def kind_of(showing: Broadcast) -> Kind:
    if showing.is_blanked:
        return Kind.BLANKED
    return Kind.PROGRAMME if showing.episode else Kind.UNKNOWN


def title_of(showing: Broadcast) -> str:
    """The displayed title, with a placeholder if the broadcast has none."""
    match kind_of(showing):
        case Kind.BLANKED:
            return "Blanked"
        case Kind.UNKNOWN:
            return f"Unknown programme {showing.episode_pid or ''}".rstrip()
        case Kind.PROGRAMME:
            return showing.title or "Untitled"


def fingerprint(showing: Broadcast) -> str:
    """Equal for equal broadcasts, in every process."""
    return blake2b(repr(showing).encode("utf-8", "backslashreplace"), digest_size=6).hexdigest()


def block_of(frame: Frame, airing: Airing, lane: int = 0, *, is_near: bool = False) -> Block:
    """Where it stands in the window, which it overlaps."""
    showing, window = airing.broadcast, frame.window
    # The end is rounded up, so that what lasts less than a minute is still there.
    offset = min(frame.offset(showing.start), frame.minutes - 1)
    end = frame.offset(showing.end + _MINUTE - timedelta(microseconds=1))
    return Block(
        airing.key,
        showing.broadcast_pid,
        offset,
        max(1, end - offset),
        lane,
        kind_of(showing),
        frame.clock(showing.start),
        frame.clock(showing.end),
        title_of(showing),
        showing.subtitle,
        showing.is_repeat,
        showing.is_signed,
        showing.is_audio_described,
        showing.interval.contains(frame.now),
        is_near,
        showing.start < window.start,
        showing.end > window.end,
        fingerprint(showing),
    )


def _near(airings: Sequence[Airing], focus: datetime) -> Sequence[Airing]:
    """The current or else the next airing, and those that follow it."""
    return [airing for airing in airings if airing.broadcast.end > focus][:_NEAR_BLOCKS]


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
            yield Gap(offset, frame.offset(start) - offset, frame.clock(covered), frame.clock(start), is_near)
        covered = max(covered, end)


def _minutes(length: timedelta) -> int:
    return length // _MINUTE
