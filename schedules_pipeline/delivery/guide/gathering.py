"""The guide over a delivery: gathers the contents of each page and derives its validator.

Belongs here: the data of each page, and which parts only operators see. Does not belong here: the contents as values
(``views``, ``detail``), markup (``pages``), and HTTP (``routes.guide``).
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from schedules_pipeline.delivery.guide.detail import (
    MOST_CHANGES,
    MOST_VERSIONS,
    Parity,
    Version,
    broadcasts_of,
    changed_lately,
    clock,
    latest_of,
    moment,
    parity_of,
    version_of,
)
from schedules_pipeline.delivery.guide.grid import day_of, frame_of, parse_begin
from schedules_pipeline.delivery.guide.pages import MEDIA_TYPE, Pages
from schedules_pipeline.delivery.guide.views import (
    DetailPage,
    GuideQuery,
    GuideSources,
    Link,
    Panel,
    Standing,
    days_of,
    guide_page,
    long_name,
    row_for,
)
from schedules_pipeline.delivery.problems import NOT_FOUND, Problem
from schedules_pipeline.delivery.representations import Representation, validator_of
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.documents.cursors import render_cursor
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.partners.partner import Partner

CHECKED_EACH_TIME: Final = "private, no-cache"

_ROWS_LOOKED_AT = 2_000


class Guide:
    """Pages are rendered by their representations, in a worker thread."""

    def __init__(self, delivery: Delivery, pages: Pages) -> None:
        self._delivery = delivery
        self._pages = pages

    def whole(self, caller: Partner, asked: GuideQuery) -> Representation:
        """The grid, or the results of a search."""
        delivery, now = self._delivery, self._delivery.clock()
        sids = delivery.services_of(caller)
        panel, standing = self._panel(caller, now), self._standing(now)
        sources = GuideSources(delivery.calendar, delivery.names, delivery.mirror)

        def render() -> bytes:
            view = guide_page(asked, now, sids, sources, panel, standing)
            return self._pages.render("guide.html", view=view, partner=caller)

        return self._represent(render, "guide", asked, caller, standing.is_stale, _minute(now))

    def rows(self, keys: Sequence[ScheduleKey], like: ScheduleKey, begin: str) -> Representation:
        """The rows of some services, in a grid that shows the day ``like``."""
        delivery, now = self._delivery, self._delivery.clock()
        frame = frame_of(delivery.calendar, like, now, parse_begin(begin))

        def render() -> bytes:
            rows = [row_for(frame, key, delivery.names, delivery.mirror) for key in keys]
            return self._pages.render("rows.html", rows=rows)

        return self._represent(render, "rows", keys, frame.window, _minute(now))

    def changes(self, caller: Partner) -> Representation:
        """The changes of the last hour."""
        panel = self._panel(caller, self._delivery.clock())
        return self._represent(lambda: self._pages.render("changes.html", panel=panel), "changes", panel)

    def showing(self, key: ScheduleKey, pid: Pid) -> Representation:
        """One broadcast in full. Blocking. Raises :class:`Problem` where the schedule does not list it."""
        delivery, now = self._delivery, self._delivery.clock()
        schedule = delivery.mirror.schedule(key)
        showings = [one for one in schedule.broadcasts if one.broadcast_pid == pid] if schedule else []
        if not showings:
            raise Problem(NOT_FOUND, f"{key} lists no broadcast {pid}, or no longer.")
        zone, images = delivery.calendar.zone, delivery.policy.image_url_template
        body = self._pages.render(
            "showing.html",
            b=next(broadcasts_of(showings, zone, now, images)),
            key=key,
            name=delivery.names.of(key.sid),
            day_name=long_name(key.date),
        )
        return self._represent(lambda: body, "showing", body)

    def schedule(self, caller: Partner, key: ScheduleKey) -> Representation:
        """One schedule in full. Blocking. Raises :class:`Problem` where nothing was ever published of it."""
        body = self._pages.render("detail.html", view=self._detail(caller, key), partner=caller)
        return self._represent(lambda: body, "detail", body)

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
        names, zone = self._delivery.names, self._delivery.calendar.zone
        rows = (entry.change for entry in self._delivery.tail.latest(_ROWS_LOOKED_AT))
        changes = [change for change in changed_lately(rows, now) if caller.may_see(change.key.sid)]
        latest = [
            latest_of(change, names.of(change.key.sid), zone, tells_why=caller.is_operator)
            for change in changes[:MOST_CHANGES]
        ]
        return Panel(tuple(latest), len(changes) - len(latest))

    def _detail(self, caller: Partner, key: ScheduleKey) -> DetailPage:
        delivery, now = self._delivery, self._delivery.clock()
        standing, held, schedule = (
            self._standing(now),
            delivery.mirror.held(key),
            delivery.mirror.schedule(key),
        )
        name, zone, images = (
            delivery.names.of(key.sid),
            delivery.calendar.zone,
            delivery.policy.image_url_template,
        )
        if held is None:
            raise Problem(NOT_FOUND, f"Nothing is published of {name} on {long_name(key.date)}.")
        versions, seconds, parity = self._origins(key, held.seq) if caller.is_operator else ([], None, None)
        return DetailPage(
            key,
            name,
            days_of(key.date, day_of(delivery.calendar, key.sid, now)),
            " to ".join(clock(at, zone) for at in delivery.calendar.window(key)),
            held.seq,
            held.etag,
            moment(held.published_at, zone),
            seconds,
            tuple(broadcasts_of(schedule.broadcasts if schedule else (), zone, now, images)),
            [Link(each.name, f"/v1/schedules/{key}.{each.name}") for each in delivery.formats],
            standing,
            caller.is_operator,
            versions,
            parity,
        )

    def _origins(
        self, key: ScheduleKey, seq: int
    ) -> tuple[list[Version] | None, float | None, Parity | None]:
        """The latest versions, the seconds until the shown one was published, and its comparison. All None if the
        store does not answer.
        """
        store, zone = self._delivery.store, self._delivery.calendar.zone
        try:
            changes, compared = store.versions.versions(key), store.comparisons.find([key]).get(key)
        except ServiceError:
            return None, None, None
        seconds = next((change.seconds_from_notification for change in changes if change.seq == seq), None)
        versions = [version_of(change, zone) for change in changes[:MOST_VERSIONS]]
        return versions, seconds, parity_of(compared, seq, zone) if compared else None


def _minute(now: datetime) -> str:
    """Within one minute, only the line that marks the present would move."""
    return f"{now:%Y%m%d%H%M}"
