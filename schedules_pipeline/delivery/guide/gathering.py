"""The guide over a delivery: gathers the contents of each page and derives its validator.

Belongs here: the data of each page, and which parts only operators see. Does not belong here: the grid page as values
(``views``), markup (``pages``), and HTTP (``routes.guide``).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Final

from schedules_pipeline.delivery.costs import cost_of_rendering
from schedules_pipeline.delivery.guide.grid import day_of, frame_of, parse_begin
from schedules_pipeline.delivery.guide.origins import WAYS, Origins
from schedules_pipeline.delivery.guide.pages import MEDIA_TYPE, Pages, partition_address
from schedules_pipeline.delivery.guide.recent import Panel, panel_of, recent_changes
from schedules_pipeline.delivery.guide.rendering import (
    GridPage,
    render_broadcast,
    render_detail,
    render_grid,
    render_rows,
    render_template,
    render_versions,
)
from schedules_pipeline.delivery.guide.times import long_date
from schedules_pipeline.delivery.guide.versions import KeptVersions
from schedules_pipeline.delivery.guide.views import Days, GuideQuery, choose
from schedules_pipeline.delivery.problems import NOT_FOUND, Problem
from schedules_pipeline.delivery.representations import Rendered, Representation, validator_of
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.documents.cursors import render_cursor
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.partners.partner import Partner

CHECKED_EACH_TIME: Final = "private, no-cache"
MOST_VERSIONS: Final = 20

_MOST_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Standing:
    """The age of the page's data. ``as_of``: when the store last confirmed it. ``stream``: the cursor after which
    scripts follow the feed.
    """

    as_of: str
    is_stale: bool
    stream: str


class Guide:
    """Pages are rendered by tasks, in another process."""

    def __init__(self, delivery: Delivery, pages: Pages) -> None:
        self._delivery = delivery
        self._pages = pages

    def whole(self, caller: Partner, query: GuideQuery) -> Representation:
        """The grid, or the results of a search."""
        delivery, now = self._delivery, self._delivery.clock()
        panel, standing = self._panel(caller, now), self._standing(now)
        choice = choose(delivery.calendar, delivery.names, query, now, delivery.services_of(caller))
        extract = delivery.mirror.extract(_around(choice.shown))
        page = GridPage(
            delivery.calendar,
            query,
            choice,
            now,
            {
                "panel": panel,
                "standing": standing,
                "partner": caller,
                "published_days": self._nearest_days([key.sid for key in choice.shown], choice.leading.date),
            },
        )
        task = partial(render_grid, self._pages, page, extract)
        cost = cost_of_rendering(len(extract))
        return self._represent(task, cost, "guide", query, caller, standing.is_stale, _minute(now))

    def rows(self, keys: Sequence[ScheduleKey], like: ScheduleKey, begin: str) -> Representation:
        """The rows of some services, in a grid that shows the day ``like``."""
        delivery, now = self._delivery, self._delivery.clock()
        frame = frame_of(delivery.calendar, like, now, parse_begin(begin))
        extract = delivery.mirror.extract(_around(keys))
        task = partial(render_rows, self._pages, frame, keys, extract)
        return self._represent(
            task, cost_of_rendering(len(extract)), "rows", keys, frame.window, _minute(now)
        )

    def changes(self, caller: Partner) -> Representation:
        """The changes of the last hour."""
        panel = self._panel(caller, self._delivery.clock())
        task = partial(render_template, self._pages, "changes.html", {"panel": panel})
        return self._represent(task, 1, "changes", panel)

    def broadcast(self, key: ScheduleKey, pid: Pid) -> Callable[[], Rendered | None]:
        """The task for one broadcast in full."""
        delivery = self._delivery
        return partial(
            render_broadcast, self._pages, key, pid, delivery.mirror.extract([key]), delivery.clock()
        )

    def schedule(self, caller: Partner, key: ScheduleKey, origins: Origins) -> Callable[[], Rendered]:
        """The task for one schedule in full. Raises :class:`Problem` if it was never published."""
        delivery, now = self._delivery, self._delivery.clock()
        held = delivery.mirror.held(key)
        if held is None:
            raise self._not_published(key)
        values = {
            "partner": caller,
            "now": now,
            "standing": self._standing(now),
            "days": Days(key.date, day_of(delivery.calendar, key.sid, now)),
            "window": delivery.calendar.window(key),
            "formats": delivery.formats,
            "dagster": partition_address(delivery.policy.dagster_url, key) if caller.is_operator else "",
            "origins": origins,
            "most_versions": MOST_VERSIONS,
        }
        return partial(render_detail, self._pages, key, delivery.mirror.extract([key]), values)

    def versions(self, caller: Partner, key: ScheduleKey, kept: KeptVersions) -> Callable[[], Rendered]:
        """The task for two versions of a schedule side by side."""
        delivery, now = self._delivery, self._delivery.clock()
        values = {
            "partner": caller,
            "standing": self._standing(now),
            "days": Days(key.date, day_of(delivery.calendar, key.sid, now)),
            "key": key,
            "a_day_before": kept.a_day_before(now),
        }
        return partial(render_versions, self._pages, kept, values)

    def _not_published(self, key: ScheduleKey) -> Problem:
        if not self._delivery.mirror.of_service(key.sid):
            return Problem(NOT_FOUND, f"There is no service {key.sid}.")
        name, days = self._delivery.names.of(key.sid), self._nearest_days([key.sid], key.date)
        ways = [(f"{name}, {long_date(day)}", f"/guide/{key.sid}/{day}") for day in days]
        detail = f"No schedule of {name} was published for {long_date(key.date)}."
        return Problem(NOT_FOUND, detail, {WAYS: ways})

    def _nearest_days(self, sids: Iterable[Sid], on: date) -> list[date]:
        """If the services have no schedule of the day: the last day before it, and the first day after it, of which one
        of them has.
        """
        held = (held for sid in sids for held in self._delivery.mirror.of_service(sid).values())
        days: set[date] = set()
        for each in held:
            if not each.is_removed:
                if each.key.date == on:
                    return []
                days.add(each.key.date)
        before = max((day for day in days if day < on), default=None)
        after = min((day for day in days if day > on), default=None)
        return [day for day in (before, after) if day is not None]

    def _represent(self, task: Callable[[], bytes], cost: int, *parts: object) -> Representation:
        """``parts``: everything that the page depends on besides the mirror."""
        validator = validator_of(self._pages.version, self._delivery.mirror.cursor, *parts)
        return Representation(validator, MEDIA_TYPE, CHECKED_EACH_TIME, task, cost=cost)

    def _standing(self, now: datetime) -> Standing:
        mirror, zone = self._delivery.mirror, self._delivery.calendar.zone
        confirmed_at = mirror.confirmed_at
        if confirmed_at is None:
            return Standing("", is_stale=True, stream="")
        is_stale = self._delivery.policy.staleness.is_stale(confirmed_at, now)
        return Standing(f"{confirmed_at.astimezone(zone):%H:%M:%S}", is_stale, render_cursor(mirror.cursor))

    def _panel(self, caller: Partner, now: datetime) -> Panel:
        rows = (entry.change for entry in self._delivery.tail.latest(_MOST_ROWS))
        changes = (change for change in recent_changes(rows, now) if caller.may_see(change.key.sid))
        return panel_of(changes, shows_causes=caller.is_operator)


def _around(keys: Iterable[ScheduleKey]) -> Iterator[ScheduleKey]:
    return (around for key in keys for around in key.with_neighbours)


def _minute(now: datetime) -> str:
    """Within one minute, only the line that marks the present would move."""
    return f"{now:%Y%m%d%H%M}"
