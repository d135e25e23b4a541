"""What televisions ask, as tasks for a process that renders: now and next, a programme, and further episodes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from schedules_pipeline.delivery.mirror import Extract
from schedules_pipeline.delivery.questions.catalogue_feeds import (
    COMING_DAYS,
    Entry,
    Feed,
    Mention,
    Table,
    TablePlan,
    window_of,
)
from schedules_pipeline.delivery.questions.now_next import Board, find_now_next, first_boundary, keys_around
from schedules_pipeline.delivery.representations import Rendered, rendered
from schedules_pipeline.documents.broadcasts import parse_halves, render_instant
from schedules_pipeline.documents.content_guide import (
    EARLIER,
    LATER,
    NOW,
    Around,
    render_more_episodes,
    render_now_next,
    render_programme,
)
from schedules_pipeline.documents.service_list import ListedService, TelevisionPolicy, render_service_list
from schedules_pipeline.documents.tv_anytime import Rendition
from schedules_pipeline.domain.airing import find_airings
from schedules_pipeline.domain.identifiers import Pid, Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.published import Broadcast, PublishedSchedule
from schedules_pipeline.domain.service_guide import ServiceGuide

_DAY = timedelta(days=1)
MOST_FURTHER = 50
"""Broadcasts in an answer about further episodes."""


@dataclass(frozen=True, slots=True)
class ServiceListTask:
    """``endpoints``: may hold a key, and so is no part of the representation."""

    listed: Sequence[ListedService]
    policy: TelevisionPolicy
    version: int
    endpoints: str = field(repr=False)

    def __call__(self) -> bytes:
        return render_service_list(self.listed, self.policy, self.endpoints, self.version)


class Reach(NamedTuple):
    """How many broadcasts before and after the present one."""

    earlier: int
    later: int


def render_television_board(
    services: Sequence[tuple[Sid, str]], extract: Extract, at: datetime, reach: Reach, rendition: Rendition
) -> Board:
    """``services``: with their names. ``extract``: the schedules around the instant of each."""
    found, boundaries = [], []
    for sid, name in services:
        schedules = [one for key in keys_around(sid, at) if (one := extract.schedule(key)) is not None]
        now_next = find_now_next(schedules, at, reach.later)
        boundaries.append(now_next)
        earlier = _earlier(schedules, at, reach.earlier)
        now = () if now_next.now is None else (now_next.now,)
        groups = {EARLIER: earlier, NOW: now, LATER: now_next.coming}
        found.append(_around(sid, name, schedules, {name: told for name, told in groups.items() if told}, at))
    return Board(at, first_boundary(boundaries), rendered(render_now_next(found, rendition)))


def _earlier(schedules: Sequence[PublishedSchedule], at: datetime, count: int) -> tuple[Broadcast, ...]:
    if not count:
        return ()
    over = [airing.broadcast for airing in find_airings(schedules) if airing.broadcast.end <= at]
    return tuple(over[-count:])


def _around(
    sid: Sid,
    name: str,
    schedules: Sequence[PublishedSchedule],
    by_group: Mapping[str, Sequence[Broadcast]],
    at: datetime,
) -> Around:
    broadcasts = [broadcast for group in by_group.values() for broadcast in group]
    published_at = max((schedule.published_at for schedule in schedules), default=None)
    return Around(_guide(sid, name, broadcasts, published_at, at), by_group)


def _guide(
    sid: Sid, name: str, broadcasts: Sequence[Broadcast], published_at: datetime | None, at: datetime
) -> ServiceGuide:
    """A guide as long as its broadcasts, or of a day without any."""
    ordered = tuple(sorted(broadcasts, key=lambda broadcast: (broadcast.start, broadcast.broadcast_pid)))
    window = Interval(at, at + _DAY)
    if ordered:
        window = Interval(ordered[0].start, max(one.end for one in ordered))
    return ServiceGuide(sid, name, window, ordered, 0, published_at)


class Found(NamedTuple):
    """``answer``: None if no such programme is shown."""

    answer: Rendered | None


def render_programme_of(
    plan: TablePlan, pid: Pid, sids: frozenset[Sid], rendition: Rendition
) -> Found | None:
    """None if the plan gives no table."""
    if (table := plan()) is None:
        return None
    entry, seen = _seen(table, pid, sids)
    if not entry or not seen:
        return Found(None)
    return Found(rendered(render_programme(_broadcast(entry, seen[0]), rendition)))


@dataclass(frozen=True, slots=True)
class FurtherEpisodes:
    """``pid``: of an episode, whose brand, or else series, is asked about. ``address``: of the answer; may hold a key,
    and so is no part of the representation.
    """

    pid: Pid
    sids: frozenset[Sid]
    at: datetime
    rendition: Rendition
    address: str = field(repr=False)

    def __call__(self, plan: TablePlan) -> Found | None:
        if (table := plan()) is None:
            return None
        entry, seen = _seen(table, self.pid, self.sids)
        if not entry or not seen:
            return Found(None)
        parent = _broadcast(entry, seen[0])
        group = parent.brand or parent.series
        coming = _coming_of(table, group.pid, self) if group else []
        sid = _service_of(coming, seen, self.at)
        broadcasts = [_broadcast(of, mention) for of, mention in coming if mention.key.sid == sid]
        guide = _guide(sid, "", broadcasts[:MOST_FURTHER], None, self.at)
        crid = self.rendition.naming.crid(group.pid if group else self.pid)
        return Found(rendered(render_more_episodes(guide, crid, self.address, self.rendition)))


def _seen(table: Table, pid: Pid, sids: frozenset[Sid]) -> tuple[Entry | None, list[Mention]]:
    """A programme, and where these services show it."""
    entry = table.entries.get(pid)
    return entry, [mention for mention in entry.mentions if mention.key.sid in sids] if entry else []


def _coming_of(table: Table, group: Pid, asked: FurtherEpisodes) -> list[tuple[Entry, Mention]]:
    """The coming broadcasts of a brand or series, in order of place."""
    marks = tuple(f'"{kind}":{{"pid":"{group}"'.encode() for kind in ("brand", "series"))
    window = window_of(Feed.COMING, asked.at, COMING_DAYS)
    start, end = render_instant(window.start), render_instant(window.end)
    found = [
        (entry, mention)
        for entry in table.entries.values()
        if any(mark in entry.programme for mark in marks)
        for mention in entry.mentions
        if start <= mention.halves.start < end and mention.key.sid in asked.sids
    ]
    return sorted(found, key=lambda one: one[1].place)


def _service_of(coming: Sequence[tuple[Entry, Mention]], seen: Sequence[Mention], at: datetime) -> Sid:
    """An answer is of one service: that which shows the asked episode, or else the first that shows another."""
    begun = [mention for mention in seen if mention.halves.start <= render_instant(at)]
    own = (begun[-1] if begun else seen[0]).key.sid
    of_others = [mention.key.sid for _, mention in coming]
    return own if own in of_others or not of_others else of_others[0]


def _broadcast(entry: Entry, mention: Mention) -> Broadcast:
    return parse_halves(mention.halves.slot, entry.programme)
