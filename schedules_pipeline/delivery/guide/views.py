"""The contents of the grid page: the choice of services and days, the rows, and the results of a search.

Pure. Does not belong here: the layout of rows (``grid``),
and markup (``pages``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final
from urllib.parse import urlencode

from schedules_pipeline.delivery.guide.grid import (
    Frame,
    Row,
    airings_in,
    day_of,
    frame_of,
    opening_time,
    row_of,
)
from schedules_pipeline.delivery.guide.search import Found, parse_query, search
from schedules_pipeline.delivery.mirror import Extract
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.published import PublishedSchedule
from schedules_pipeline.domain.service_names import ServiceNames

MOST_SERVICES: Final = 60
"""On one page of the grid."""

MOST_SEARCHED: Final = 400
"""Services whose broadcasts one search reads."""

TELEVISION: Final = "tv"
RADIO: Final = "radio"

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class GuideQuery:
    """The reader's choice. ``on``: None for today. ``begin``: None for shortly before now, on other days the start.
    ``group``: "" for all services. ``named``: letters of the names of services. ``page``: counted from 1.
    """

    on: date | None = None
    begin: time | None = None
    group: str = ""
    question: str = ""
    named: str = ""
    page: int = 1

    @property
    def begins(self) -> str:
        return f"{self.begin:%H:%M}" if self.begin else ""

    def address(self, on: date | None = None, begin: str = "", page: int | None = None) -> str:
        """The address of the same page without the search: on another day, from another time, of other services."""
        number = page or self.page
        parameters = {
            "date": str(on or self.on or ""),
            "from": begin or self.begins,
            "group": self.group,
            "named": self.named,
            "page": str(number) if number > 1 else "",
        }
        chosen = urlencode({name: value for name, value in parameters.items() if value})
        return f"/guide?{chosen}" if chosen else "/guide"

    def widened(self, named: str = "") -> str:
        """The address of all services of the same day, or of those with these letters in their names."""
        return replace(self, group="", named=named, page=1).address()


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
    rows. ``hours``: the choices for the page's start. ``begin``: when it starts, None for the start of the day.
    ``services``: how many there are on all pages.
    """

    query: GuideQuery
    days: Days
    leading: ScheduleKey
    frame: Frame
    groups: Sequence[Group]
    rows: Sequence[Row]
    services: int
    found: Found | None
    hours: Sequence[str]
    begin: time | None

    @property
    def pages(self) -> int:
        return max(1, -(-self.services // MOST_SERVICES))

    @property
    def is_empty(self) -> bool:
        """Whether a page without a search has nothing to show: no service, or no schedule of any."""
        return self.found is None and not any(row.has_schedule or row.blocks for row in self.rows)

    @property
    def is_narrowed(self) -> bool:
        """Whether the reader has chosen some of the services."""
        return bool(self.query.named or self.query.group)

    @property
    def first_service(self) -> int:
        """The place of the first row among all services, from 1."""
        return (self.query.page - 1) * MOST_SERVICES + 1

    @property
    def dates(self) -> str:
        """The broadcast days whose changes affect the page."""
        return " ".join(str(key.date) for key in self.leading.with_neighbours)

    @property
    def rows_address(self) -> str:
        """The address of single rows of the page; a script adds their services."""
        begins = f"{self.begin:%H:%M}" if self.begin else ""
        parameters = {"date": self.leading.date, "like": self.leading.sid, "from": begins}
        return "/guide/rows?" + urlencode(parameters)

    @property
    def zone_name(self) -> str:
        names = [f"{at.astimezone(self.frame.zone):%Z}" for at in self.frame.window]
        return names[0] if names[0] == names[1] else f"{names[0]}, then {names[1]}"

    @property
    def odd_length(self) -> str:
        """The length of a day with a clock change; "" for other days."""
        length = self.frame.window.length
        return f"{length // _HOUR} hours" if self.frame.changes_clocks and not self.begin else ""


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
    """What a page shows. ``shown``: the schedules of its rows, or those that a search reads. ``today``: the leading
    service's present day. ``services``: how many the reader has chosen.
    """

    groups: Sequence[Group]
    leading: ScheduleKey
    today: date
    shown: Sequence[ScheduleKey]
    services: int


def choose(
    calendar: BroadcastCalendar, names: ServiceNames, query: GuideQuery, now: datetime, sids: Sequence[Sid]
) -> Choice:
    """``sids``: all services that the reader may see. An unknown group selects all of them."""
    groups = groups_of(sids, calendar, names)
    group = next((group for group in groups if group.name == query.group), groups[0])
    chosen = [sid for sid in group.sids if is_named(sid, names.of(sid), query.named)]
    sid = leading_service(chosen, calendar)
    today = day_of(calendar, sid, now)
    leading = ScheduleKey(sid, query.on or today)
    first = (query.page - 1) * MOST_SERVICES
    shown = chosen[:MOST_SEARCHED] if parse_query(query.question) else chosen[first : first + MOST_SERVICES]
    return Choice(groups, leading, today, [ScheduleKey(sid, leading.date) for sid in shown], len(chosen))


def is_named(sid: Sid, name: str, letters: str) -> bool:
    """Whether the letters are in the name or the id of a service; case does not count."""
    return letters.casefold() in f"{name} {sid}".casefold()


def guide_page(
    calendar: BroadcastCalendar, query: GuideQuery, choice: Choice, extract: Extract, now: datetime
) -> GuidePage:
    """``extract``: the schedules around those of the choice."""
    begin = query.begin or opening_time(calendar, choice.leading, now)
    frame = frame_of(calendar, choice.leading, now, begin)
    words = parse_query(query.question)
    return GuidePage(
        query,
        Days(choice.leading.date, choice.today),
        choice.leading,
        frame,
        choice.groups,
        [] if words else [row_of(frame, key, schedules_around(extract, key)) for key in choice.shown],
        choice.services,
        _search(calendar, choice, words, extract, now) if words else None,
        _hours(calendar, choice.leading),
        begin,
    )


def schedules_around(extract: Extract, key: ScheduleKey) -> dict[ScheduleKey, PublishedSchedule]:
    """The published schedules that may list broadcasts of the day."""
    found = ((around, extract.schedule(around)) for around in key.with_neighbours)
    return {around: schedule for around, schedule in found if schedule is not None}


def _search(
    calendar: BroadcastCalendar, choice: Choice, words: Sequence[str], extract: Extract, now: datetime
) -> Found:
    """The hits of the whole day in order of time, those that are over last."""
    window = calendar.window(choice.leading)
    found = (airings_in(window, schedules_around(extract, key).values()) for key in choice.shown)
    airings = [airing for of_service in found for airing in of_service]
    return search(sorted(airings, key=lambda airing: (airing.broadcast.end <= now, airing.place)), words)


def _hours(calendar: BroadcastCalendar, day: ScheduleKey) -> list[str]:
    """The hours at which a page may begin, each once."""
    window = calendar.window(day)
    instants = (window.start + n * _HOUR for n in range(window.length // _HOUR))
    return list(dict.fromkeys(f"{at.astimezone(calendar.zone):%H:00}" for at in instants))
