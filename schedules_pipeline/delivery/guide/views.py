"""The contents of whole pages of the guide. Pure, except that published schedules are read on demand.

Belongs here: the choice of services and days, and the parts around the rows. Does not belong here: the rows
(``grid``), and markup (``pages``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, Protocol
from urllib.parse import urlencode

from schedules_pipeline.delivery.guide.detail import BroadcastDetail, Latest, Parity, Version
from schedules_pipeline.delivery.guide.grid import (
    Block,
    Frame,
    Row,
    airings_in,
    block_of,
    day_of,
    days_around,
    frame_of,
    row_of,
)
from schedules_pipeline.delivery.guide.search import parse_query, search
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.published import PublishedSchedule

MOST_SERVICES: Final = 150
"""On one page."""

TELEVISION: Final = "tv"
RADIO: Final = "radio"

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)


class Documents(Protocol):
    """The published schedules."""

    def schedule(self, key: ScheduleKey) -> PublishedSchedule | None: ...


class Names(Protocol):
    """The display names of services."""

    def of(self, sid: Sid) -> str: ...


@dataclass(frozen=True, slots=True)
class GuideSources:
    """The calendar of broadcast days, the names of services and the published schedules."""

    calendar: BroadcastCalendar
    names: Names
    documents: Documents


@dataclass(frozen=True, slots=True)
class GuideQuery:
    """The reader's choice. ``on``: None for today. ``begin``: None for the start of the day. ``group``: "" for all
    services.
    """

    on: date | None = None
    begin: time | None = None
    group: str = ""
    question: str = ""

    def address(self, on: date) -> str:
        """The address of the same page on another day, without the search."""
        begin = f"{self.begin:%H:%M}" if self.begin else ""
        parameters = {"date": on.isoformat(), "from": begin, "group": self.group}
        return "/guide?" + urlencode({name: value for name, value in parameters.items() if value})


@dataclass(frozen=True, slots=True)
class Group:
    """Services that can be shown without the others."""

    name: str
    label: str
    sids: tuple[Sid, ...]

    @property
    def size(self) -> int:
        return len(self.sids)


@dataclass(frozen=True, slots=True)
class Panel:
    """Recent changes, the newest first; ``left_out`` counts those that are not listed."""

    latest: Sequence[Latest]
    left_out: int


@dataclass(frozen=True, slots=True)
class Standing:
    """The age of the page's data. ``as_of``: when the store last confirmed it. ``stream``: the cursor after which
    scripts follow the feed.
    """

    as_of: str
    is_stale: bool
    stream: str


@dataclass(frozen=True, slots=True)
class Hit:
    service: str
    start: datetime
    block: Block
    synopsis: str


@dataclass(frozen=True, slots=True)
class Days:
    """The day of a page and its neighbours, with their names."""

    on: date
    name: str
    previous: date
    previous_name: str
    following: date
    following_name: str
    today: date


@dataclass(frozen=True, slots=True)
class GuidePage:
    """``found``: None without a search; then there are rows. ``hours``: the choices for the page's start."""

    asked: GuideQuery
    days: Days
    frame: Frame
    groups: Sequence[Group]
    rows: Sequence[Row]
    services_left_out: int
    found: Sequence[Hit] | None
    found_more: bool
    panel: Panel
    standing: Standing
    hours: Sequence[str]
    rows_address: str

    @property
    def dates(self) -> str:
        """The broadcast days whose changes affect the page."""
        return " ".join(map(str, days_around(self.days.on)))

    @property
    def begin(self) -> str:
        return f"{self.asked.begin:%H:%M}" if self.asked.begin else ""

    @property
    def zone_name(self) -> str:
        names = [f"{at.astimezone(self.frame.zone):%Z}" for at in self.frame.window]
        return names[0] if names[0] == names[1] else f"{names[0]}, then {names[1]}"

    @property
    def odd_length(self) -> str:
        """The length of a day with a clock change; "" for other days."""
        length = self.frame.window.length
        return f"{length // _HOUR} hours" if self.frame.changes_clocks and not self.asked.begin else ""


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    href: str


@dataclass(frozen=True, slots=True)
class DetailPage:
    """One schedule. ``etag``: "" for a removal. ``versions``: None if the store does not answer. Only operators see
    ``versions`` and ``parity``.
    """

    key: ScheduleKey
    name: str
    days: Days
    hours: str
    seq: int
    etag: str
    published: str
    seconds: float | None
    broadcasts: Sequence[BroadcastDetail]
    links: Sequence[Link]
    standing: Standing
    is_operator: bool
    versions: Sequence[Version] | None
    parity: Parity | None

    @property
    def is_removed(self) -> bool:
        return not self.etag


def days_of(on: date, today: date) -> Days:
    previous, following = on - _DAY, on + _DAY
    return Days(
        on, long_name(on), previous, _short(previous, today), following, _short(following, today), today
    )


def long_name(on: date) -> str:
    """``Saturday 28 March 2026``."""
    return f"{on:%A %-d %B %Y}"


def _short(on: date, today: date) -> str:
    names = {-1: "Yesterday", 1: "Tomorrow"}
    return names.get((on - today).days) or f"{on:%a %-d %b}"


def groups_of(sids: Sequence[Sid], calendar: BroadcastCalendar, names: Names) -> list[Group]:
    """All services; then television and radio, if there are both; then families of services whose ids begin with the
    same two words.
    """
    radio = tuple(filter(calendar.is_radio, sids))
    television = tuple(sid for sid in sids if not calendar.is_radio(sid))
    groups = [Group("", "All services", tuple(sids))]
    if radio and television:
        groups += [Group(TELEVISION, "Television", television), Group(RADIO, "Radio", radio)]
    families: dict[str, list[Sid]] = {}
    for sid in sids:
        families.setdefault("_".join(sid.split("_")[:2]), []).append(sid)
    return groups + [
        Group(family, names.of(Sid(family)), tuple(members))
        for family, members in families.items()
        if 1 < len(members) < len(sids)
    ]


def leading_service(sids: Sequence[Sid], calendar: BroadcastCalendar) -> Sid:
    """The service whose broadcast day a page shows: the first television service, if there is one."""
    return next((sid for sid in sids if not calendar.is_radio(sid)), sids[0] if sids else Sid("television"))


def guide_page(
    asked: GuideQuery,
    now: datetime,
    sids: Sequence[Sid],
    sources: GuideSources,
    panel: Panel,
    standing: Standing,
) -> GuidePage:
    """``sids``: all services that the reader may see. An unknown group selects all of them."""
    calendar, names, documents = sources.calendar, sources.names, sources.documents
    groups = groups_of(sids, calendar, names)
    group = next((group for group in groups if group.name == asked.group), groups[0])
    leading = leading_service(group.sids, calendar)
    today = day_of(calendar, leading, now)
    on = asked.on or today
    frame = frame_of(calendar, ScheduleKey(leading, on), now, asked.begin)
    shown = group.sids[:MOST_SERVICES]
    words = parse_query(asked.question)
    hits, found_more = _search(frame, shown, words, names, documents) if words else (None, False)
    rows = [] if words else [row_for(frame, ScheduleKey(sid, on), names, documents) for sid in shown]
    return GuidePage(
        asked,
        days_of(on, today),
        frame,
        groups,
        rows,
        len(group.sids) - len(shown),
        hits,
        found_more,
        panel,
        standing,
        _hours(calendar, ScheduleKey(leading, on)),
        _rows_address(asked, on, leading),
    )


def _rows_address(asked: GuideQuery, on: date, leading: Sid) -> str:
    """The address of single rows of the page; a script adds their services."""
    begin = f"{asked.begin:%H:%M}" if asked.begin else ""
    return "/guide/rows?" + urlencode({"date": on.isoformat(), "like": leading, "from": begin})


def row_for(frame: Frame, key: ScheduleKey, names: Names, documents: Documents) -> Row:
    return row_of(frame, key, names.of(key.sid), schedules_around(key, documents))


def schedules_around(key: ScheduleKey, documents: Documents) -> Mapping[ScheduleKey, PublishedSchedule]:
    """The published schedules that may list broadcasts of the day."""
    keys = [ScheduleKey(key.sid, day) for day in days_around(key.date)]
    found = ((around, documents.schedule(around)) for around in keys)
    return {around: schedule for around, schedule in found if schedule is not None}


def _search(
    frame: Frame, sids: Iterable[Sid], words: Sequence[str], names: Names, documents: Documents
) -> tuple[list[Hit], bool]:
    """The hits in order of time, and whether there are more."""
    airings = [
        airing
        for sid in sids
        for airing in airings_in(
            frame.window, schedules_around(ScheduleKey(sid, frame.date), documents).values()
        )
    ]
    found = search(sorted(airings, key=lambda airing: airing.place), words)
    hits = [
        Hit(
            names.of(airing.key.sid),
            airing.broadcast.start,
            block_of(frame, airing),
            airing.broadcast.episode.synopses.short if airing.broadcast.episode else "",
        )
        for airing in found.hits
    ]
    return hits, found.has_more


def _hours(calendar: BroadcastCalendar, day: ScheduleKey) -> list[str]:
    """The hours at which a page may begin, each once."""
    window = calendar.window(day)
    instants = (window.start + n * _HOUR for n in range(window.length // _HOUR))
    return list(dict.fromkeys(f"{at.astimezone(calendar.zone):%H:00}" for at in instants))
