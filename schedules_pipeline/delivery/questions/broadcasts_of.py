"""The broadcasts of an episode, or of all episodes below a series or a brand.

The back-reference index lists the schedules to read; it may list too many, so the published schedules decide. A soap
is in hundreds of schedules, so they are read day by day until the page is full.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from schedules_pipeline.delivery.questions.lineage import Lineage
from schedules_pipeline.documents.broadcasts import airing_fields
from schedules_pipeline.documents.cursors import seal, unseal
from schedules_pipeline.domain.airing import Airing, Place, find_wanted
from schedules_pipeline.domain.dependencies import Reference
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.published import Broadcast, PublishedSchedule
from schedules_pipeline.errors import InvalidIdentifier

MOST_DAYS = 31
DEFAULT_DAYS = 8
MOST_BROADCASTS = 500
MOST_SCHEDULES = 1_000
"""How many schedules one page reads, unless it needs more to make progress."""

_DAY = _EARLIEST_BEFORE_ITS_DAY = timedelta(days=1)
_DAYS_BEFORE = 2
_DAYS_AFTER = 1


@dataclass(frozen=True, slots=True)
class Question:
    """``window``: broadcasts that overlap it answer the question, also those that began before it. ``after``: the
    place of the last answer that the client has.
    """

    pid: Pid
    window: Interval
    limit: int
    after: Place | None = None

    @property
    def begins_at(self) -> datetime:
        """The earliest start of an answer, except broadcasts that are on air at the window's start."""
        return self.window.start if self.after is None else max(self.window.start, self.after.start)

    def asks_for(self, airing: Airing) -> bool:
        broadcast = airing.broadcast
        is_inside = broadcast.end > self.window.start and broadcast.start < self.window.end
        return is_inside and (self.after is None or airing.place > self.after)


@dataclass(frozen=True, slots=True)
class Page:
    """``following``: the next page's ``after``; None on the last page. Other pages may be short or empty."""

    airings: tuple[Airing, ...]
    following: Place | None


def plan_reads(
    references: Iterable[Reference], question: Question, may_see: Callable[[Sid], bool]
) -> list[tuple[date, list[ScheduleKey]]]:
    """The schedules that may answer the question, by broadcast day, and their neighbours of the days before and after.
    A neighbour may be newer and list the same broadcast with another programme, or blanked.
    """
    first = question.begins_at.date() - timedelta(days=_DAYS_BEFORE)
    last = question.window.end.date() + timedelta(days=_DAYS_AFTER)
    by_day: dict[date, set[ScheduleKey]] = defaultdict(set)
    for key in {reference.key for reference in references}:
        if first <= key.date <= last and may_see(key.sid):
            for around in key.with_neighbours:
                by_day[around.date].add(around)
    return [(day, sorted(by_day[day])) for day in sorted(by_day)]


def find_broadcasts(
    question: Question,
    reads: Sequence[tuple[date, Sequence[ScheduleKey]]],
    read: Callable[[ScheduleKey], PublishedSchedule | None],
    lineage: Lineage,
) -> Page:
    """One page of the answer, in order of place."""
    matches = _Matches(question, lineage)
    for day, keys in reads:
        frontier = _complete_before(day)
        if frontier.start > question.begins_at and matches.are_enough(frontier):
            return _page(matches.before(frontier), question.limit, frontier)
        matches.add([schedule for key in keys if (schedule := read(key)) is not None])
    return _page(matches.before(None), question.limit, None)


def _complete_before(day: date) -> Place:
    """Once all days before ``day`` are read, the broadcasts before this place are complete and final, because the
    following day, whose schedule may list the same broadcast differently, is read as well.

    A broadcast starts within its day, which may begin hours before the same date in UTC. A broadcast that a schedule
    lists more than a day too early (the checks report it) may be missed at the edge of a page.
    """
    return Place(datetime.combine(day - _DAY, time(), UTC) - _EARLIEST_BEFORE_ITS_DAY)


def _page(answers: Sequence[Airing], limit: int, frontier: Place | None) -> Page:
    if len(answers) <= limit:
        return Page(tuple(answers), frontier)
    return Page(tuple(answers[:limit]), answers[limit - 1].place)


class _Matches:
    """The matches so far: broadcasts with the pid as episode or as ancestor, whether the document names it or not."""

    def __init__(self, question: Question, lineage: Lineage) -> None:
        self._question = question
        self._pid = question.pid
        self._lineage = lineage
        self._is_always_named: bool | None = None
        self._schedules: list[PublishedSchedule] = []
        self._below: set[Pid] = set()
        self._found: list[Airing] = []

    def add(self, schedules: Sequence[PublishedSchedule]) -> None:
        airings = [
            Airing(schedule.key, broadcast) for schedule in schedules for broadcast in schedule.broadcasts
        ]
        self._find_below({broadcast.episode_pid for _, broadcast in airings if broadcast.episode is not None})
        self._found += [airing for airing in airings if self._is_match(airing.broadcast)]
        self._schedules += schedules

    def are_enough(self, frontier: Place) -> bool:
        """Whether the page is full, or enough schedules were read for it."""
        if len(self._schedules) >= MOST_SCHEDULES:
            return True
        inside = (self._question.asks_for(a) and a.place < frontier for a in self._found)
        return sum(inside) > self._question.limit

    def before(self, frontier: Place | None) -> list[Airing]:
        """The answers before ``frontier``, in order."""
        return [
            airing
            for airing in find_wanted(self._schedules, self._is_match)
            if self._question.asks_for(airing) and (frontier is None or airing.place < frontier)
        ]

    def _is_match(self, broadcast: Broadcast) -> bool:
        above = [item.pid for item in (broadcast.series, broadcast.brand) if item is not None]
        return (
            self._pid in above or broadcast.episode_pid == self._pid or broadcast.episode_pid in self._below
        )

    def _find_below(self, episodes: set[Pid | None]) -> None:
        """Look these up in the catalogue copies, if documents may leave out the pid as an ancestor."""
        if self._is_always_named is None:
            self._is_always_named = self._lineage.is_always_named(self._pid)
        if not self._is_always_named:
            self._below |= self._lineage.below(self._pid, {pid for pid in episodes if pid is not None})


def page_fields(question: Question, page: Page) -> dict[str, Any]:
    """The answer."""
    return {
        "pid": question.pid,
        "from": question.window.start,
        "to": question.window.end,
        "broadcasts": [airing_fields(airing) for airing in page.airings],
        "next": None if page.following is None else render_place(page.following),
    }


def render_place(place: Place) -> str:
    """An opaque, URL-safe cursor."""
    text = f"{int(place.start.timestamp())}|{place.sid}|{place.broadcast_pid}"
    return seal(text)


def parse_place(cursor: str) -> Place:
    """Raises :class:`InvalidIdentifier` if the text is not a result of :func:`render_place`."""
    try:
        start, sid, pid = unseal(cursor).split("|")
        place = Place(
            datetime.fromtimestamp(int(start), UTC), Sid(sid) if sid else "", Pid(pid) if pid else ""
        )
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidIdentifier(f"not a cursor of this service: {cursor[:60]!r}") from error
    if render_place(place) != cursor:
        raise InvalidIdentifier(f"not a cursor of this service: {cursor[:60]!r}")
    return place
