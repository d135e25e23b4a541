"""The contents of the grid page: the choice of services and days, the rows, and the results of a search.

Pure. Does not belong here: the layout of rows (``grid``),
and markup (``pages``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from urllib.parse import urlencode

from schedules_pipeline.delivery.guide.grid import Frame, Row, airings_in, day_of, frame_of, row_of
from schedules_pipeline.delivery.guide.search import Found, parse_query, search
from schedules_pipeline.delivery.mirror import Extract
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.published import PublishedSchedule
from schedules_pipeline.domain.service_names import ServiceNames

MOST_SERVICES: Final = 150
"""On one page."""

TELEVISION: Final = "tv"
RADIO: Final = "radio"

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class GuideQuery:
    """The reader's choice. ``on``: None for today. ``begin``: None for the start of the day. ``group``: "" for all
    services.
    """

    on: date | None = None
    begin: time | None = None
    group: str = ""
    question: str = ""

    @property
    def begins(self) -> str:
        return f"{self.begin:%H:%M}" if self.begin else ""

    def address(self, on: date) -> str:
        """The address of the same page on another day, without the search."""
        parameters = {"date": on.isoformat(), "from": self.begins, "group": self.group}
        return "/guide?" + urlencode({name: value for name, value in parameters.items() if value})


@dataclass(frozen=True, slots=True)
class Group:
    """Services that can be shown without the others."""

    name: str
    label: str
    sids: Sequence[Sid]


@dataclass(frozen=True, slots=True)
class Days:
    """The day of a page, and its neighbours."""

    on: date
    today: date

    @property
    def previous(self) -> date:
        return self.on - _DAY

    @property
    def following(self) -> date:
        return self.on + _DAY

    def label(self, day: date) -> str:
        """``Yesterday``, ``Tomorrow``, or ``Sat 28 Mar``."""
        return {-1: "Yesterday", 1: "Tomorrow"}.get((day - self.today).days) or f"{day:%a %-d %b}"


@dataclass(frozen=True, slots=True)
class GuidePage:
    """``leading``: the schedule whose broadcast day the page shows. ``found``: None without a search; then the page has
    rows. ``hours``: the choices for the page's start.
    """

    query: GuideQuery
    days: Days
    leading: ScheduleKey
    frame: Frame
    groups: Sequence[Group]
    rows: Sequence[Row]
    services_left_out: int
    found: Found | None
    hours: Sequence[str]

    @property
    def dates(self) -> str:
        """The broadcast days whose changes affect the page."""
        return " ".join(str(key.date) for key in self.leading.with_neighbours)

    @property
    def rows_address(self) -> str:
        """The address of single rows of the page; a script adds their services."""
        parameters = {"date": self.leading.date, "like": self.leading.sid, "from": self.query.begins}
        return "/guide/rows?" + urlencode(parameters)

    @property
    def zone_name(self) -> str:
        names = [f"{at.astimezone(self.frame.zone):%Z}" for at in self.frame.window]
        return names[0] if names[0] == names[1] else f"{names[0]}, then {names[1]}"

    @property
    def odd_length(self) -> str:
        """The length of a day with a clock change; "" for other days."""
        length = self.frame.window.length
        return f"{length // _HOUR} hours" if self.frame.changes_clocks and not self.query.begin else ""


def groups_of(sids: Sequence[Sid], calendar: BroadcastCalendar, names: ServiceNames) -> list[Group]:
    """All services; then television and radio, if there are both; then families of services whose ids begin with the
    same two words.
    """
    radio = [sid for sid in sids if calendar.is_radio(sid)]
    television = [sid for sid in sids if not calendar.is_radio(sid)]
    groups = [Group("", "All services", sids)]
    if radio and television:
        groups += [Group(TELEVISION, "Television", television), Group(RADIO, "Radio", radio)]
    families: dict[str, list[Sid]] = {}
    for sid in sids:
        families.setdefault("_".join(sid.split("_")[:2]), []).append(sid)
    return groups + [
        Group(family, names.of(Sid(family)), members)
        for family, members in families.items()
        if 1 < len(members) < len(sids)
    ]


def leading_service(sids: Sequence[Sid], calendar: BroadcastCalendar) -> Sid:
    """The service whose broadcast day a page shows: the first television service, if there is one."""
    return next((sid for sid in sids if not calendar.is_radio(sid)), sids[0] if sids else Sid("television"))


@dataclass(frozen=True, slots=True)
class Choice:
    """What a page shows: ``shown`` are the schedules of its rows, ``today`` the leading service's present day."""

    groups: Sequence[Group]
    leading: ScheduleKey
    today: date
    shown: Sequence[ScheduleKey]
    services_left_out: int


def choose(
    calendar: BroadcastCalendar, names: ServiceNames, query: GuideQuery, now: datetime, sids: Sequence[Sid]
) -> Choice:
    """``sids``: all services that the reader may see. An unknown group selects all of them."""
    groups = groups_of(sids, calendar, names)
    group = next((group for group in groups if group.name == query.group), groups[0])
    sid = leading_service(group.sids, calendar)
    today = day_of(calendar, sid, now)
    leading = ScheduleKey(sid, query.on or today)
    shown = [ScheduleKey(sid, leading.date) for sid in group.sids[:MOST_SERVICES]]
    return Choice(groups, leading, today, shown, len(group.sids) - len(shown))


def guide_page(
    calendar: BroadcastCalendar, query: GuideQuery, choice: Choice, extract: Extract, now: datetime
) -> GuidePage:
    """``extract``: the schedules around those of the choice."""
    frame = frame_of(calendar, choice.leading, now, query.begin)
    words = parse_query(query.question)
    return GuidePage(
        query,
        Days(choice.leading.date, choice.today),
        choice.leading,
        frame,
        choice.groups,
        [] if words else [row_of(frame, key, schedules_around(extract, key)) for key in choice.shown],
        choice.services_left_out,
        _search(frame, choice.shown, words, extract) if words else None,
        _hours(calendar, choice.leading),
    )


def schedules_around(extract: Extract, key: ScheduleKey) -> dict[ScheduleKey, PublishedSchedule]:
    """The published schedules that may list broadcasts of the day."""
    found = ((around, extract.schedule(around)) for around in key.with_neighbours)
    return {around: schedule for around, schedule in found if schedule is not None}


def _search(frame: Frame, keys: Sequence[ScheduleKey], words: Sequence[str], extract: Extract) -> Found:
    """The hits in order of time."""
    found = (airings_in(frame.window, schedules_around(extract, key).values()) for key in keys)
    airings = [airing for of_service in found for airing in of_service]
    return search(sorted(airings, key=lambda airing: airing.place), words)


def _hours(calendar: BroadcastCalendar, day: ScheduleKey) -> list[str]:
    """The hours at which a page may begin, each once."""
    window = calendar.window(day)
    instants = (window.start + n * _HOUR for n in range(window.length // _HOUR))
    return list(dict.fromkeys(f"{at.astimezone(calendar.zone):%H:00}" for at in instants))
