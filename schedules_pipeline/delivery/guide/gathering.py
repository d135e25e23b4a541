"""The guide over a delivery: gathers the contents of each page and derives its validator.

Belongs here: the data of each page, and which parts only operators see. Does not belong here: the grid page as values
(``views``), markup (``pages``), and HTTP (``routes.guide``).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from schedules_pipeline.delivery.guide.broadcasts import gaps_before
from schedules_pipeline.delivery.guide.grid import day_of, frame_of, parse_begin, row_of
from schedules_pipeline.delivery.guide.pages import MEDIA_TYPE, Pages, long_date
from schedules_pipeline.delivery.guide.views import Days, GuideQuery, guide_page, schedules_around
from schedules_pipeline.delivery.problems import NOT_FOUND, Problem
from schedules_pipeline.delivery.representations import Representation, validator_of
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.documents.cursors import render_cursor
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.migration.ports import Comparison
from schedules_pipeline.partners.partner import Partner

CHECKED_EACH_TIME: Final = "private, no-cache"
MOST_CHANGES: Final = 40
MOST_VERSIONS: Final = 20
RECENT: Final = timedelta(hours=1)

_MOST_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Panel:
    """Recent changes, the newest first. ``left_out`` counts those that are not listed. Only operators see causes."""

    changes: Sequence[Change]
    left_out: int
    shows_causes: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """The age of the page's data. ``as_of``: when the store last confirmed it. ``stream``: the cursor after which
    scripts follow the feed.
    """

    as_of: str
    is_stale: bool
    stream: str


class Guide:
    """Pages are rendered by their representations, in a worker thread."""

    def __init__(self, delivery: Delivery, pages: Pages) -> None:
        self._delivery = delivery
        self._pages = pages

    def whole(self, caller: Partner, query: GuideQuery) -> Representation:
        """The grid, or the results of a search."""
        delivery, now = self._delivery, self._delivery.clock()
        sids, panel, standing = delivery.services_of(caller), self._panel(caller, now), self._standing(now)

        def render() -> bytes:
            view = guide_page(delivery, query, now, sids)
            return self._pages.render("guide.html", view=view, panel=panel, standing=standing, partner=caller)

        return self._represent(render, "guide", query, caller, standing.is_stale, _minute(now))

    def rows(self, keys: Sequence[ScheduleKey], like: ScheduleKey, begin: str) -> Representation:
        """The rows of some services, in a grid that shows the day ``like``."""
        delivery, now = self._delivery, self._delivery.clock()
        frame = frame_of(delivery.calendar, like, now, parse_begin(begin))

        def render() -> bytes:
            rows = [row_of(frame, key, schedules_around(delivery.mirror, key)) for key in keys]
            return self._pages.render("rows.html", frame=frame, rows=rows)

        return self._represent(render, "rows", keys, frame.window, _minute(now))

    def changes(self, caller: Partner) -> Representation:
        """The changes of the last hour."""
        panel = self._panel(caller, self._delivery.clock())
        return self._represent(lambda: self._pages.render("changes.html", panel=panel), "changes", panel)

    def broadcast(self, key: ScheduleKey, pid: Pid) -> Representation:
        """One broadcast in full. Blocking. Raises :class:`Problem` if the schedule does not list it."""
        schedule = self._delivery.mirror.schedule(key)
        for broadcast in schedule.broadcasts if schedule else ():
            if broadcast.broadcast_pid == pid:
                now = self._delivery.clock()
                return self._rendered("broadcast.html", broadcast=broadcast, key=key, now=now)
        raise Problem(NOT_FOUND, f"The schedule {key} does not list the broadcast {pid}.")

    def schedule(self, caller: Partner, key: ScheduleKey) -> Representation:
        """One schedule in full. Blocking. Raises :class:`Problem` if it was never published."""
        delivery, now = self._delivery, self._delivery.clock()
        held, schedule = delivery.mirror.held(key), delivery.mirror.schedule(key)
        if held is None:
            name = delivery.names.of(key.sid)
            raise Problem(NOT_FOUND, f"No schedule of {name} was published for {long_date(key.date)}.")
        versions, comparison, unusable = self._origins(key) if caller.is_operator else ([], None, "")
        broadcasts = schedule.broadcasts if schedule else ()
        return self._rendered(
            "detail.html",
            partner=caller,
            now=now,
            standing=self._standing(now),
            days=Days(key.date, day_of(delivery.calendar, key.sid, now)),
            window=delivery.calendar.window(key),
            held=held,
            broadcasts=list(zip(broadcasts, gaps_before(broadcasts), strict=True)),
            formats=delivery.formats,
            versions=None if versions is None else versions[:MOST_VERSIONS],
            version=next((change for change in versions or () if change.seq == held.seq), None),
            comparison=comparison,
            unusable=unusable,
        )

    def _rendered(self, template: str, **values: Any) -> Representation:
        body = self._pages.render(template, **values)
        return self._represent(lambda: body, template, body)

    def _represent(self, render: Callable[[], bytes], *parts: object) -> Representation:
        """``parts``: everything that the page depends on besides the mirror."""
        validator = validator_of(self._pages.version, self._delivery.mirror.cursor, *parts)
        return Representation(validator, MEDIA_TYPE, CHECKED_EACH_TIME, render)

    def _standing(self, now: datetime) -> Standing:
        mirror, zone = self._delivery.mirror, self._delivery.calendar.zone
        confirmed_at = mirror.confirmed_at
        if confirmed_at is None:
            return Standing("", is_stale=True, stream="")
        is_stale = self._delivery.policy.staleness.is_stale(confirmed_at, now)
        return Standing(f"{confirmed_at.astimezone(zone):%H:%M:%S}", is_stale, render_cursor(mirror.cursor))

    def _panel(self, caller: Partner, now: datetime) -> Panel:
        rows = (entry.change for entry in self._delivery.tail.latest(_MOST_ROWS))
        changes = [change for change in recent_changes(rows, now) if caller.may_see(change.key.sid)]
        listed = changes[:MOST_CHANGES]
        return Panel(listed, len(changes) - len(listed), caller.is_operator)

    def _origins(self, key: ScheduleKey) -> tuple[Sequence[Change] | None, Comparison | None, str]:
        """The latest versions, the comparison, and what was unusable in the source document. Without any of them if the
        store does not answer.
        """
        store = self._delivery.store
        try:
            comparison = store.comparisons.find([key]).get(key)
            return store.versions.versions(key), comparison, store.quarantined_broadcasts.find(key)
        except ServiceError:
            return None, None, ""


def recent_changes(newest_first: Iterable[Change], now: datetime) -> Iterator[Change]:
    """The changes of the last hour, up to the first that is older."""
    for change in newest_first:
        if now - change.published_at > RECENT:
            return
        yield change


def _minute(now: datetime) -> str:
    """Within one minute, only the line that marks the present would move."""
    return f"{now:%Y%m%d%H%M}"
