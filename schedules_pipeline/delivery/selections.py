"""Selections of schedules (services, days, format) and their representations."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache, partial
from itertools import groupby
from math import ceil
from operator import attrgetter
from typing import cast

import orjson

from schedules_pipeline.delivery.costs import share_of_joining, share_of_rendering
from schedules_pipeline.delivery.freshness import NEVER_KEPT, cache_control, seconds_fresh
from schedules_pipeline.delivery.links import alternates, version_fields
from schedules_pipeline.delivery.mirror import MirroredSchedule
from schedules_pipeline.delivery.packing import Packed
from schedules_pipeline.delivery.parts import (
    Part,
    guide_of,
    latest,
    part_of,
    published_in,
    render_guide,
    validator_of_parts,
)
from schedules_pipeline.delivery.representations import (
    Fragment,
    Group,
    Representation,
    Whole,
    constant,
    validator_of,
    validator_of_version,
)
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.delivery.tables import tables_of
from schedules_pipeline.documents.addresses import schedule_address
from schedules_pipeline.documents.cursors import FeedCursor, render_cursor
from schedules_pipeline.documents.guide_formats import JSON_FORMAT, GuideFormat, GuidePieces
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.day_cut import (
    DayCut,
    GuideWindow,
    NamedCut,
    Straddling,
    days_apart,
)
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.service_guide import ServiceGuide

_WINDOWS_REMEMBERED = 4_096


@dataclass(frozen=True, slots=True)
class Selection:
    """Days from ``first`` to ``last``, both included, by the cut's days. ``may_be_empty``: it has a representation even
    if nothing of it is published.
    """

    sids: Sequence[Sid]
    first: date
    last: date
    cut: DayCut
    straddling: Straddling = Straddling.STARTS
    may_be_empty: bool = False


def represent_document(
    delivery: Delivery, held: MirroredSchedule, packed: Packed, now: datetime
) -> Representation:
    """One schedule as published, which the mirror holds in compressed form."""
    return Representation(
        validator_of_version(held),
        JSON_FORMAT.media_type,
        cache_control(seconds_document_is_fresh(delivery, held.key, now)),
        packed,
        held.published_at,
        fields=partial(_document_fields, delivery, held),
        versions=(held,),
    )


def seconds_document_is_fresh(delivery: Delivery, key: ScheduleKey, now: datetime) -> int:
    return seconds_fresh(_window(delivery.calendar, key), now)


def _document_fields(delivery: Delivery, held: MirroredSchedule) -> Mapping[str, str]:
    links = alternates(schedule_address(held.key), (), delivery.formats, JSON_FORMAT.name)
    return {**version_fields(held), "Link": links}


@lru_cache(_WINDOWS_REMEMBERED)
def _window(calendar: BroadcastCalendar, key: ScheduleKey) -> Interval:
    return calendar.window(key)


def represent(
    delivery: Delivery, selection: Selection, offer: GuideFormat, now: datetime
) -> Representation | None:
    """The whole selection in one document; None if none of it is published and it may not be empty.

    Versions are fixed by this call, although the document may be rendered later in another thread.
    """
    if offer.is_of_utc_days:
        selection = replace(selection, cut=DayCut(NamedCut.UTC), straddling=Straddling.OVERLAPS)
    windows = [
        selection.cut.guide_window(delivery.calendar, sid, first, last)
        for sid in selection.sids
        for first, last in _stretches(selection, offer)
    ]
    parts = [part_of(delivery, window) for window in windows]
    if not (published_in(parts) or selection.may_be_empty):
        return None
    if offer.name == JSON_FORMAT.name and selection.cut.begins is NamedCut.BROADCAST:
        return _represent(delivery, parts, offer, now, _groups_of_documents(parts))
    return _represent_guides(delivery, parts, offer, selection.straddling, now)


def represent_windows(
    delivery: Delivery,
    windows: Sequence[GuideWindow],
    straddling: Straddling,
    offer: GuideFormat,
    now: datetime,
) -> Representation:
    """Guides of any windows in one document, which is empty if nothing is published. As :func:`represent`."""
    parts = [part_of(delivery, window) for window in windows]
    return _represent_guides(delivery, parts, offer, straddling, now)


def _represent_guides(
    delivery: Delivery, parts: Sequence[Part], offer: GuideFormat, straddling: Straddling, now: datetime
) -> Representation:
    groups = _groups_of_guides(parts, offer, straddling)
    if offer.tables is None or not _are_several(parts):
        return _represent(delivery, parts, offer, now, groups)
    tables = tables_of(parts, offer, straddling, offer.tables)
    return replace(_represent(delivery, parts, offer, now, groups), source=tables, cost=0)


@dataclass(frozen=True, slots=True)
class ServiceDays:
    """The days of a service as pieces of a document, each by itself, so that other documents with some of these days
    have the same pieces. ``published_at``: the latest publication or removal. ``versions``: of the published schedules.
    """

    sid: Sid
    name: str
    window: Interval
    group: Group
    published_at: datetime | None
    versions: Sequence[MirroredSchedule]


def represent_days(delivery: Delivery, sid: Sid, first: date, last: date, offer: GuideFormat) -> ServiceDays:
    """Of broadcast days from ``first`` to ``last``, both included, in a format that is made of pieces without a text
    between them. Depends on the schedules of this service alone.
    """
    parts = [part_of(delivery, window) for window in days_apart(delivery.calendar, sid, first, last)]
    render = cast("GuidePieces", offer.pieces).guide
    group = tuple(_fragment(part, offer, Straddling.STARTS, render) for part in parts)
    versions = tuple(held for part in parts for held in part.named)
    window = Interval(parts[0].window.start, parts[-1].window.end)
    return ServiceDays(sid, delivery.names.of(sid), window, group, latest(parts), versions)


def join_days(delivery: Delivery, services: Sequence[ServiceDays], offer: GuideFormat) -> Representation:
    """One document of all these, always in pieces. It may not be kept, unless the caller says otherwise."""
    pieces = cast("GuidePieces", offer.pieces)
    services = pieces.ordered(services)
    published = [one.published_at for one in services if one.published_at is not None]
    names, last_modified = {one.sid: one.name for one in services}, max(published, default=None)
    groups = (
        (_start(offer, pieces, names, last_modified),),
        *(one.group for one in services),
        (constant(pieces.end),),
    )
    return Representation(
        _validator_of_all(offer, groups),
        offer.media_type,
        NEVER_KEPT,
        groups,
        last_modified,
        fields=partial(_cursor_field, delivery.mirror.cursor),
        versions=[held for one in services for held in one.versions],
    )


def _groups_of_documents(parts: Sequence[Part]) -> tuple[Group, ...]:
    """Documents as published, and the requested days that have none."""
    there = {held.key for part in parts for held in published_in([part])}
    missing = [str(key) for part in parts for key in part.guide_window.keys if key not in there]
    services = [
        Fragment(
            validator_of("documents", *(f"{held.key}.{validator_of_version(held)}" for held in published)),
            partial(_join, published),
            share_of_joining(len(published)),
        )
        for part in parts
        if (published := published_in([part]))
    ]
    end = constant(b'],"missing":' + orjson.dumps(missing) + b"}")
    groups = _separated([[service] for service in services], b",")
    return ((constant(b'{"schedules":['),), *groups, (end,))


def _groups_of_guides(parts: Sequence[Part], offer: GuideFormat, straddling: Straddling) -> tuple[Group, ...]:
    """One for each service, with a piece for each window: a change makes those others for which it is read."""
    if (pieces := offer.pieces) is None:
        render = partial(_render, straddling, offer, parts)
        cost = share_of_rendering(len(published_in(parts)))
        return ((Fragment(validator_of_parts((straddling,), offer, parts), render, cost),),)
    parts = pieces.ordered(parts)
    services = [
        [_fragment(part, offer, straddling, pieces.guide) for part in of_service]
        for _, of_service in groupby(parts, attrgetter("sid"))
    ]
    start = _start(offer, pieces, {part.sid: part.name for part in parts}, latest(parts))
    return ((start,), *_separated(services, pieces.between), (constant(pieces.end),))


def _start(
    offer: GuideFormat, pieces: GuidePieces, names: Mapping[Sid, str], published_at: datetime | None
) -> Fragment:
    if isinstance(pieces.start, bytes):
        return constant(pieces.start)
    validator = validator_of("start", offer.name, offer.revision, published_at, *names.items())
    return Fragment(validator, partial(pieces.start, list(names.items()), published_at))


def _fragment(
    part: Part, offer: GuideFormat, straddling: Straddling, render: Callable[[ServiceGuide], bytes]
) -> Fragment:
    validator = validator_of_parts((straddling, "guide"), offer, [part])
    return Fragment(
        validator, partial(render_guide, straddling, render, part), share_of_rendering(len(part.named))
    )


def _separated(groups: Sequence[Sequence[Fragment]], between: bytes) -> Iterator[Group]:
    """With this text between any two fragments."""
    separator = (constant(between),) if between else ()
    has_begun = False
    for group in groups:
        separated: list[Fragment] = []
        for fragment in group:
            separated += (*separator, fragment) if has_begun else (fragment,)
            has_begun = True
        yield tuple(separated)


def _represent(
    delivery: Delivery,
    parts: Sequence[Part],
    offer: GuideFormat,
    now: datetime,
    groups: tuple[Group, ...],
) -> Representation:
    """In pieces if several services or days have a part in it, so that no process holds a large answer as a whole."""
    in_pieces = len(groups) > 1 and _are_several(parts)
    return Representation(
        _validator_of_all(offer, groups),
        offer.media_type,
        cache_control(min((seconds_fresh(part.window, now) for part in parts), default=0)),
        groups if in_pieces else Whole(groups),
        latest(parts),
        0 if in_pieces else ceil(sum(fragment.cost for group in groups for fragment in group)),
        fields=partial(_fields, delivery.mirror.cursor, parts),
        versions=[held for part in parts for held in part.named],
    )


def _are_several(parts: Sequence[Part]) -> bool:
    return sum(any(published_in([each])) for each in parts) > 1


def _fields(cursor: FeedCursor, parts: Sequence[Part]) -> Mapping[str, str]:
    """The version, if the answer is made of one schedule; otherwise the cursor up to which it has every change."""
    if len(parts) == 1 and parts[0].guide_window.is_as_listed and len(parts[0].guide_window.keys) == 1:
        for held in published_in(parts):
            return version_fields(held)
    return _cursor_field(cursor)


def _cursor_field(cursor: FeedCursor) -> Mapping[str, str]:
    return {"Schedules-Cursor": render_cursor(cursor)}


def _stretches(selection: Selection, offer: GuideFormat) -> list[tuple[date, date]]:
    """One window a day if the format has single days, else one for all days."""
    if not offer.is_of_utc_days:
        return [(selection.first, selection.last)]
    days = (selection.last - selection.first).days + 1
    return [(day, day) for day in (selection.first + timedelta(days=number) for number in range(days))]


def _validator_of_all(offer: GuideFormat, groups: Sequence[Group]) -> str:
    return validator_of(offer.name, *(fragment.validator for group in groups for fragment in group))


def _join(published: Sequence[MirroredSchedule]) -> bytes:
    return b",".join(document for held in published if (document := held.document()))


def _render(straddling: Straddling, offer: GuideFormat, parts: Sequence[Part]) -> bytes:
    return offer.render([guide_of(straddling, part) for part in parts])
