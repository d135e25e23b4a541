"""Where an episode is shown, or anything below a series or a brand.

The back-reference index says which schedules to look into, and what is published says what they show: the index may
hold a schedule too many. A soap is in hundreds of schedules, so they are looked into day by day, for no longer than
a page needs.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol

from schedules_pipeline.delivery.lineage import Lineage
from schedules_pipeline.domain.airing import Airing, Place, find_airings
from schedules_pipeline.domain.dependencies import Reference
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.published import PublishedSchedule, Showing
from schedules_pipeline.errors import InvalidIdentifier

MOST_DAYS = 31
DEFAULT_DAYS = 8
MOST_BROADCASTS = 500
MOST_SCHEDULES = 1_000
"""How many schedules one page looks into, unless it takes more to get on at all."""

_EARLIEST_BEFORE_ITS_DAY = timedelta(days=1)
_DAYS_BEFORE = 2
_DAYS_AFTER = 1


class Documents(Protocol):
    """What is published."""

    def schedule(self, key: ScheduleKey) -> PublishedSchedule | None: ...


@dataclass(frozen=True, slots=True)
class Question:
    """``window``: what ends after its start and starts before its end is asked for, so what is on air at the start
    is included. ``after``: the place up to which it was answered already.
    """

    pid: Pid
    window: Interval
    limit: int
    after: Place | None = None

    @property
    def begins_at(self) -> datetime:
        """Nothing that starts before this is asked for, but for what is still on air at the window's start."""
        return self.window.start if self.after is None else max(self.window.start, self.after.start)

    def asks_for(self, airing: Airing) -> bool:
        shown = airing.showing
        is_inside = shown.end > self.window.start and shown.start < self.window.end
        return is_inside and (self.after is None or airing.place > self.after)


@dataclass(frozen=True, slots=True)
class Page:
    """``following``: where to go on; None where there is no more. A page may be short, or empty, and have one."""

    airings: tuple[Airing, ...]
    following: Place | None


def plan_look(
    references: Iterable[Reference], question: Question, may_see: Callable[[Sid], bool]
) -> list[tuple[date, list[ScheduleKey]]]:
    """The schedules that may answer the question, by broadcast day."""
    first = question.begins_at.date() - timedelta(days=_DAYS_BEFORE)
    last = question.window.end.date() + timedelta(days=_DAYS_AFTER)
    by_day: dict[date, set[ScheduleKey]] = defaultdict(set)
    for reference in references:
        if first <= reference.key.date <= last and may_see(reference.key.sid):
            by_day[reference.key.date].add(reference.key)
    return [(day, sorted(by_day[day])) for day in sorted(by_day)]


def find_broadcasts(
    question: Question,
    look: Sequence[tuple[date, Sequence[ScheduleKey]]],
    documents: Documents,
    lineage: Lineage,
) -> Page:
    """One page of the answer, in order of place."""
    matcher = _Matcher(question.pid, lineage)
    matching: list[PublishedSchedule] = []
    looked_into = 0
    for day, keys in look:
        frontier = _complete_before(day)
        if _is_enough(question, matching, looked_into, frontier):
            return _page(question, matching, frontier)
        schedules = [schedule for key in keys if (schedule := documents.schedule(key)) is not None]
        matching += matcher.only(schedules)
        looked_into += len(keys)
    return _page(question, matching, None)


def _complete_before(day: date) -> Place:
    """Once all days before this one were looked into, every showing that stands before this place was found.

    A broadcast starts within its day, and that may begin hours before it does in UTC. One that a schedule lists
    more than a day too early, which the checks report, may be passed over at the edge of a page.
    """
    return Place(datetime.combine(day, time(), UTC) - _EARLIEST_BEFORE_ITS_DAY)


def _is_enough(
    question: Question, matching: Sequence[PublishedSchedule], looked_into: int, frontier: Place
) -> bool:
    if frontier.start <= question.begins_at:
        return False
    return looked_into >= MOST_SCHEDULES or len(_answers(question, matching, frontier)) > question.limit


def _page(question: Question, matching: Sequence[PublishedSchedule], frontier: Place | None) -> Page:
    answers = _answers(question, matching, frontier)
    if len(answers) <= question.limit:
        return Page(tuple(answers), frontier)
    shown = answers[: question.limit]
    return Page(tuple(shown), shown[-1].place)


def _answers(
    question: Question, matching: Sequence[PublishedSchedule], frontier: Place | None
) -> list[Airing]:
    return [
        airing
        for airing in find_airings(matching)
        if question.asks_for(airing) and (frontier is None or airing.place < frontier)
    ]


class _Matcher:
    """Leaves of schedules what shows the pid: as the episode, or as an ancestor that is named or not."""

    def __init__(self, pid: Pid, lineage: Lineage) -> None:
        self._pid = pid
        self._lineage = lineage
        self._is_always_named: bool | None = None

    def only(self, schedules: Iterable[PublishedSchedule]) -> list[PublishedSchedule]:
        listed = list(schedules)
        unnamed = {
            showing.episode_pid
            for schedule in listed
            for showing in schedule.showings
            if showing.episode is not None and showing.episode_pid is not None and not self._is_named(showing)
        }
        below = self._below(unnamed)
        return [
            replace(schedule, showings=shown)
            for schedule in listed
            if (shown := tuple(s for s in schedule.showings if self._is_named(s) or s.episode_pid in below))
        ]

    def _is_named(self, showing: Showing) -> bool:
        above = [item.pid for item in (showing.series, showing.brand) if item is not None]
        return showing.episode_pid == self._pid or self._pid in above

    def _below(self, episodes: set[Pid]) -> set[Pid]:
        if not episodes:
            return set()
        if self._is_always_named is None:
            self._is_always_named = self._lineage.is_always_named(self._pid)
        return set() if self._is_always_named else self._lineage.below(self._pid, episodes)


def render_place(place: Place) -> str:
    """A cursor: for partners a word without meaning. URL-safe."""
    text = f"{int(place.start.timestamp())}|{place.sid}|{place.broadcast_pid}"
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def parse_place(cursor: str) -> Place:
    """Raise :class:`InvalidIdentifier` for anything that :func:`render_place` never gave."""
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        start, sid, pid = text.split("|")
        place = Place(
            datetime.fromtimestamp(int(start), UTC), Sid(sid) if sid else "", Pid(pid) if pid else ""
        )
    except (NotBase64, ValueError, OverflowError, OSError) as error:
        raise InvalidIdentifier(f"not a cursor of ours: {cursor[:60]!r}") from error
    if render_place(place) != cursor:
        raise InvalidIdentifier(f"not a cursor of ours: {cursor[:60]!r}")
    return place
