"""The formats of delivered files: how a published document becomes the bytes of a file.

A file is one schedule, a broadcast day, compressed by gzip and named ``.gz``. The catalogue schedule is not offered
as a file: it has UTC days, which are cut from several schedules.
"""

import gzip
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from schedules_pipeline.documents.guide_formats import GuideFormat
from schedules_pipeline.documents.partner_document import parse_published
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.service_guide import DayVersion, ServiceGuide
from schedules_pipeline.domain.service_names import ServiceNames

MEDIA_TYPE: Final = "application/gzip"
_LEVEL = 6


@dataclass(frozen=True, slots=True)
class FileFormat:
    """``suffix``: behind the date in a file's name, without ``.gz``. ``render``: from a published document, pure."""

    suffix: str
    render: Callable[[bytes], bytes]


def _unchanged(document: bytes) -> bytes:
    return document


PUBLISHED_DOCUMENT: Final = FileFormat("json", _unchanged)
"""The published document itself."""

FORMAT_NAMES: Final = ("json", "xmltv", "tva")
"""The formats that a subscription can name."""


def file_formats(
    formats: Iterable[GuideFormat], calendar: BroadcastCalendar, names: ServiceNames
) -> Mapping[str, FileFormat]:
    """All of :data:`FORMAT_NAMES`."""
    renderers = {each.name: each.render for each in formats}
    rendered = {
        name: FileFormat(name, partial(_render_document, renderers[name], calendar, names))
        for name in FORMAT_NAMES
        if name != PUBLISHED_DOCUMENT.suffix
    }
    return {PUBLISHED_DOCUMENT.suffix: PUBLISHED_DOCUMENT, **rendered}


def _render_document(
    render: Callable[[Sequence[ServiceGuide]], bytes],
    calendar: BroadcastCalendar,
    names: ServiceNames,
    document: bytes,
) -> bytes:
    schedule = parse_published(document)
    sid, window = schedule.key.sid, calendar.window(schedule.key)
    version = DayVersion(schedule.key.date, schedule.seq, schedule.etag)
    shown, published_at = schedule.broadcasts, schedule.published_at
    guide = ServiceGuide(sid, names.of(sid), window, shown, schedule.seq, published_at, (version,))
    return render([guide])


def render_file(file_format: FileFormat, document: bytes) -> bytes:
    """The same document gives the same bytes: no time is written into them."""
    return gzip.compress(file_format.render(document), _LEVEL, mtime=0)
