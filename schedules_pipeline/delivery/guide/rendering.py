"""The guide's pages as tasks for a process that renders: markup from published schedules."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schedules_pipeline.delivery.guide.broadcasts import Kind, gaps_before, kind_of, new_days
from schedules_pipeline.delivery.guide.grid import Frame, row_of
from schedules_pipeline.delivery.guide.pages import Pages
from schedules_pipeline.delivery.guide.versions import KeptVersions, compare_documents
from schedules_pipeline.delivery.guide.views import Choice, GuideQuery, guide_page, schedules_around
from schedules_pipeline.delivery.mirror import Extract
from schedules_pipeline.delivery.representations import Rendered, rendered
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.domain.published import Broadcast
from schedules_pipeline.publishing.measure_day import measure, outside
from schedules_pipeline.publishing.ports.expectations import Measure

_SHOWN_MEASURES: Sequence[Measure] = [name for name in Measure if name is not Measure.CHANGES]


@dataclass(frozen=True, slots=True)
class GridPage:
    """``values``: what the template shows besides the grid."""

    calendar: BroadcastCalendar
    query: GuideQuery
    choice: Choice
    now: datetime
    values: dict[str, Any]


def render_grid(pages: Pages, page: GridPage, extract: Extract) -> bytes:
    view = guide_page(page.calendar, page.query, page.choice, extract, page.now)
    return pages.render("guide.html", view=view, **page.values)


def render_rows(pages: Pages, frame: Frame, keys: Sequence[ScheduleKey], extract: Extract) -> bytes:
    rows = [row_of(frame, key, schedules_around(extract, key)) for key in keys]
    return pages.render("rows.html", frame=frame, rows=rows)


def render_template(pages: Pages, template: str, values: dict[str, Any]) -> bytes:
    return pages.render(template, **values)


def render_broadcast(
    pages: Pages, key: ScheduleKey, pid: Pid, extract: Extract, now: datetime
) -> Rendered | None:
    """None if the schedule does not list the broadcast."""
    schedule = extract.schedule(key)
    for broadcast in schedule.broadcasts if schedule else ():
        if broadcast.broadcast_pid == pid:
            return rendered(pages.render("broadcast.html", broadcast=broadcast, key=key, now=now))
    return None


def render_detail(pages: Pages, key: ScheduleKey, extract: Extract, values: dict[str, Any]) -> Rendered:
    schedule = extract.schedule(key)
    broadcasts = schedule.broadcasts if schedule else ()
    days = new_days(broadcasts, key.date, pages.zone)
    listed = list(zip(broadcasts, gaps_before(broadcasts), days, strict=True))
    earlier = sum(broadcast.end <= values["now"] for broadcast in broadcasts)
    measured = measure(broadcasts, sum(map(_is_unknown, broadcasts)), (), values["window"])
    shown = {name: measured[name] for name in _SHOWN_MEASURES}
    return rendered(
        pages.render(
            "detail.html",
            held=extract.by_key[key],
            listed=listed,
            # A day that is over is listed in full.
            earlier=earlier if earlier < len(listed) else 0,
            measured=shown,
            unusual=outside(shown, values["origins"].ranges or {}),
            **values,
        )
    )


def _is_unknown(broadcast: Broadcast) -> bool:
    return kind_of(broadcast) is Kind.UNKNOWN


def render_versions(pages: Pages, kept: KeptVersions, values: dict[str, Any]) -> Rendered:
    comparison = None
    if kept.earlier is not None and kept.later is not None:
        comparison = compare_documents(kept.earlier, kept.later)
    return rendered(pages.render("versions.html", kept=kept, comparison=comparison, **values))
