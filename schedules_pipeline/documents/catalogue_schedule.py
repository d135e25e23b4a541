"""A service's UTC day for partners who ingest catalogues, after the public description of Amazon's EMBER.

Belongs here: the document of a day. Does not belong here: closing gaps and overlaps
(:mod:`~schedules_pipeline.domain.continuous_day`), and uploading.

The names are those of the description, except for the content of an ``Airing``, whose description is not public. So
the format is not called EMBER, and it was never validated against EMBER's schema. ``docs/reference/formats.md`` gives
the source of each part.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple

from lxml import etree

from schedules_pipeline.documents.xmltv import BLANKED_TITLE, UNKNOWN_TITLE, written
from schedules_pipeline.domain.catalogue import NO_SYNOPSES, Synopses
from schedules_pipeline.domain.continuous_day import make_continuous
from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.published import Broadcast
from schedules_pipeline.domain.service_guide import ServiceGuide

MEDIA_TYPE = "application/xml"
_LANGUAGE = "en"
"""The format requires a language, and no source names the language of its texts."""


class _Programme(NamedTuple):
    programme_id: str
    tag: str
    title: str
    synopses: Synopses = NO_SYNOPSES


# Pids are in lower case, so none of them can be one of these ids.
_OFF_AIR = _Programme("OFF_AIR", "OffAir", "Off air")
_NOT_AVAILABLE = _Programme("NOT_AVAILABLE", "Other", BLANKED_TITLE)
_TO_BE_ANNOUNCED = _Programme("TO_BE_ANNOUNCED", "ToBeAnnounced", UNKNOWN_TITLE)


START: Final = b"<?xml version='1.0' encoding='UTF-8'?>\n<DataCollections>\n"
END: Final = b"</DataCollections>\n"


def render_catalogue_day(guide: ServiceGuide) -> bytes:
    """A UTC day of a service, with everything that touches it: the cut ``utc``, by overlap. A document has such days
    in any order between :data:`START` and :data:`END`.

    The day is exactly covered; a broadcast across midnight is cut there. Raises ValueError if the window is not a UTC
    day.
    """
    root, day = etree.Element("DataCollections"), _utc_day(guide.window)
    _add_day(root, guide, catalogue_id(guide.sid, day), day)
    written = etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)
    return written.removeprefix(START).removesuffix(END)


def catalogue_id(sid: Sid, day: date) -> str:
    """As the description suggests it: ``alder_one_north_20260115``."""
    return f"{sid}_{day.isoformat().replace('-', '')}"


def _utc_day(window: Interval) -> date:
    day = window.start.astimezone(UTC).date()
    midnight = datetime.combine(day, time(0), tzinfo=UTC)
    if window != Interval(midnight, midnight + timedelta(days=1)):
        raise ValueError(
            f"{window.start} to {window.end} is no UTC day: cut the guide by it, each day for itself"
        )
    return day


def _add_day(root: etree._Element, guide: ServiceGuide, name: str, day: date) -> None:
    """The programmes of the day are a catalogue of their own, so that days have independent versions."""
    segments = make_continuous(guide.window, guide.broadcasts)
    airings = [(segment.interval, _programme(segment.broadcast)) for segment in segments]
    identity = {"id": name, "version": str(guide.version)}
    programmes = etree.SubElement(root, "ProgramCatalog", identity | {"action": "replace"})
    for _, programme in sorted({programme.programme_id: programme for _, programme in airings}.items()):
        _add_programme(programmes, programme, guide.version)
    schedules = etree.SubElement(root, "ScheduleCatalog", identity | {"action": "replace"})
    references = {"date": day.isoformat(), "stationRef": guide.sid, "programCatalogRef": name}
    schedule = etree.SubElement(schedules, "Schedule", identity | references)
    for interval, programme in airings:
        _add_airing(schedule, interval, programme)


def _programme(broadcast: Broadcast | None) -> _Programme:
    if broadcast is None:
        return _OFF_AIR
    if broadcast.is_blanked:
        return _NOT_AVAILABLE
    title = ": ".join(filter(None, map(written, (broadcast.title, broadcast.subtitle))))
    if broadcast.episode is None or not title:
        return _TO_BE_ANNOUNCED
    return _Programme(broadcast.episode.pid, "Other", title, broadcast.episode.synopses)


def _add_programme(programmes: etree._Element, programme: _Programme, version: int) -> None:
    identity = {"id": programme.programme_id, "version": str(version)}
    element = etree.SubElement(programmes, programme.tag, identity)
    _add_text(element, "Titles", "Title", programme.title)
    for plural, tag, text in _texts(programme.synopses):
        _add_text(element, plural, tag, text)


def _add_airing(schedule: etree._Element, interval: Interval, programme: _Programme) -> None:
    """The names follow other references of the description, and the times of its predecessor."""
    times = {"startTime": _instant(interval.start), "endTime": _instant(interval.end)}
    etree.SubElement(schedule, "Airing", {"programRef": programme.programme_id} | times)


def _texts(synopses: Synopses) -> Iterator[tuple[str, str, str]]:
    """A description, and a synopsis if a longer text exists."""
    short, medium, long = map(written, synopses.texts)
    description, synopsis = short or medium or long, long or medium
    if description:
        yield "Descriptions", "Description", description
    if synopsis not in ("", description):
        yield "Synopses", "Synopsis", synopsis


def _add_text(parent: etree._Element, plural: str, tag: str, text: str) -> None:
    attributes = {"language": _LANGUAGE, "default": "true"}
    etree.SubElement(etree.SubElement(parent, plural), tag, attributes).text = text


def _instant(at: datetime) -> str:
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"
