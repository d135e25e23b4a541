"""Selections of schedules (services, days, format) and their representations."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache, partial
from math import ceil

import orjson

from schedules_pipeline.delivery.costs import share_of_joining, share_of_rendering
from schedules_pipeline.delivery.freshness import cache_control, seconds_fresh
from schedules_pipeline.delivery.links import alternates, version_fields
from schedules_pipeline.delivery.mirror import MirroredSchedule, parsed
from schedules_pipeline.delivery.packing import Packed
from schedules_pipeline.delivery.representations import (
    Fragment,
    Representation,
    Whole,
    validator_of,
    validator_of_version,
)
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.documents.addresses import schedule_address
from schedules_pipeline.documents.cursors import FeedCursor, render_cursor
from schedules_pipeline.documents.guide_formats import JSON_FORMAT, GuideFormat
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.day_cut import DayCut, GuideWindow, NamedCut, Straddling, cut_guide
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.published import PublishedSchedule
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


@dataclass(frozen=True, slots=True)
class _Part:
    """A service's window, and everything that is held of it, removals included."""

    guide_window: GuideWindow
    name: str
    held: tuple[MirroredSchedule, ...]

    @property
    def sid(self) -> Sid:
        return self.guide_window.sid

    @property
    def window(self) -> Interval:
        return self.guide_window.window


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
    parts = [_part(delivery, window) for window in windows]
    if not (_published(parts) or selection.may_be_empty):
        return None
    asked = (selection.first, selection.last, selection.cut, selection.straddling)
    if offer.name == JSON_FORMAT.name and selection.cut.begins is NamedCut.BROADCAST:
        return _represent(delivery, parts, offer, asked, now, _document_fragments(parts))
    fragments = _guide_fragments(parts, offer, selection.straddling)
    return _represent(delivery, parts, offer, asked, now, fragments)


def represent_windows(
    delivery: Delivery,
    windows: Sequence[GuideWindow],
    straddling: Straddling,
    offer: GuideFormat,
    now: datetime,
) -> Representation:
    """Guides of any windows in one document, which is empty if nothing is published. As :func:`represent`."""
    parts = [_part(delivery, window) for window in windows]
    fragments = _guide_fragments(parts, offer, straddling)
    return _represent(delivery, parts, offer, (straddling,), now, fragments)


def _document_fragments(parts: Sequence[_Part]) -> tuple[Fragment, ...]:
    """Documents as published, and the requested days that have none."""
    there = {held.key for part in parts for held in _published([part])}
    missing = [str(key) for part in parts for key in part.guide_window.keys if key not in there]
    services = [
        Fragment(
            validator_of("documents", *(f"{held.key}.{validator_of_version(held)}" for held in published)),
            partial(_join, published),
            share_of_joining(len(published)),
        )
        for part in parts
        if (published := _published([part]))
    ]
    end = _constant(b'],"missing":' + orjson.dumps(missing) + b"}")
    return (_constant(b'{"schedules":['), *_separated(services, b","), end)


def _guide_fragments(
    parts: Sequence[_Part], offer: GuideFormat, straddling: Straddling
) -> tuple[Fragment, ...]:
    """A change makes that of its service another one, and those that need the versions of all."""
    if (pieces := offer.pieces) is None:
        render = partial(_render, straddling, offer, parts)
        return (_rendered((straddling,), offer, parts, render),)
    parts = pieces.ordered(parts)
    guides = [
        _rendered(
            (straddling, "guide"), offer, [part], partial(_render_guide, straddling, pieces.guide, part)
        )
        for part in parts
    ]
    if isinstance(pieces.start, bytes):
        start = _constant(pieces.start)
    else:
        source = partial(pieces.start, [_head(part) for part in parts])
        start = Fragment(_validator(("start",), offer, parts), source)
    return (start, *_separated(guides, pieces.between), _constant(pieces.end))


def _rendered(
    asked: tuple[object, ...], offer: GuideFormat, parts: Sequence[_Part], render: Callable[[], bytes]
) -> Fragment:
    return Fragment(_validator(asked, offer, parts), render, share_of_rendering(len(_published(parts))))


def _constant(text: bytes) -> Fragment:
    return Fragment(validator_of("constant", text), partial(bytes, text))


def _separated(fragments: Sequence[Fragment], between: bytes) -> Iterator[Fragment]:
    for number, fragment in enumerate(fragments):
        if number and between:
            yield _constant(between)
        yield fragment


def _head(part: _Part) -> ServiceGuide:
    """The guide without its broadcasts, for which no document is parsed."""
    published = _published([part])
    schedules = [
        PublishedSchedule(held.key, held.seq, held.published_at, held.etag, ()) for held in published
    ]
    removals = [(held.seq, held.published_at) for held in part.held if held.is_removed]
    return cut_guide(part.guide_window, part.name, schedules, removals, Straddling.STARTS)


def _represent(
    delivery: Delivery,
    parts: Sequence[_Part],
    offer: GuideFormat,
    asked: tuple[object, ...],
    now: datetime,
    fragments: tuple[Fragment, ...],
) -> Representation:
    """In pieces if several services or days have a part in it, so that no process holds a large answer as a whole."""
    published = _published(parts)
    in_pieces = len(fragments) > 1 and len({each.guide_window for each in parts if _published([each])}) > 1
    return Representation(
        _validator(asked, offer, parts),
        offer.media_type,
        cache_control(min((seconds_fresh(part.guide_window.window, now) for part in parts), default=0)),
        fragments if in_pieces else Whole(fragments),
        max((held.published_at for part in parts for held in part.held), default=None),
        ceil(sum(fragment.cost for fragment in fragments)),
        fields=partial(_fields, delivery.mirror.cursor, parts),
        versions=published,
    )


def _fields(cursor: FeedCursor, parts: Sequence[_Part]) -> Mapping[str, str]:
    """The version, if the answer is made of one schedule; otherwise the cursor up to which it has every change."""
    windows, published = [part.guide_window for part in parts], _published(parts)
    if len(published) == 1 and [(window.keys, window.is_as_listed) for window in windows] == [
        ((published[0].key,), True)
    ]:
        return version_fields(published[0])
    return {"Schedules-Cursor": render_cursor(cursor)}


def _published(parts: Sequence[_Part]) -> list[MirroredSchedule]:
    return [held for part in parts for held in part.held if not held.is_removed]


def _stretches(selection: Selection, offer: GuideFormat) -> list[tuple[date, date]]:
    """One window a day if the format has single days, else one for all days."""
    if not offer.is_of_utc_days:
        return [(selection.first, selection.last)]
    days = (selection.last - selection.first).days + 1
    return [(day, day) for day in (selection.first + timedelta(days=number) for number in range(days))]


def _part(delivery: Delivery, guide_window: GuideWindow) -> _Part:
    of_service = delivery.mirror.of_service(guide_window.sid)
    held = tuple(of_service[key.date] for key in guide_window.keys if key.date in of_service)
    return _Part(guide_window, delivery.names.of(guide_window.sid), held)


def _validator(asked: tuple[object, ...], offer: GuideFormat, parts: Sequence[_Part]) -> str:
    versions = (f"{held.key}.{validator_of_version(held)}" for part in parts for held in part.held)
    # The window depends on the configured time zone: the same date can be another day.
    names = (f"{part.guide_window.sid}={part.name}={part.guide_window.window}" for part in parts)
    return validator_of(offer.name, offer.revision, *asked, *names, *versions)


def _join(published: Sequence[MirroredSchedule]) -> bytes:
    return b",".join(document for held in published if (document := held.document()))


def _render(straddling: Straddling, offer: GuideFormat, parts: Sequence[_Part]) -> bytes:
    return offer.render([_guide(straddling, part) for part in parts])


def _render_guide(straddling: Straddling, render: Callable[[ServiceGuide], bytes], part: _Part) -> bytes:
    return render(_guide(straddling, part))


def _guide(straddling: Straddling, part: _Part) -> ServiceGuide:
    return cut_guide(
        part.guide_window,
        part.name,
        [schedule for held in part.held if (schedule := parsed(held))],
        [(held.seq, held.published_at) for held in part.held if held.is_removed],
        straddling,
    )
