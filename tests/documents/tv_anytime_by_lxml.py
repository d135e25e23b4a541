"""Schedules of TV-Anytime as lxml builds them, element by element: the oracle for the pipeline's own writing."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from lxml import etree

from schedules_pipeline.documents.image_url import render_image_url
from schedules_pipeline.documents.tv_anytime import (
    BROADCAST_PID,
    MAXIMUM_TITLE,
    NAMESPACE,
    Rendition,
    _placeholder,
    _synopses,
    fit,
    render_duration,
    render_time,
)
from schedules_pipeline.documents.xmltv import written
from schedules_pipeline.domain.published import Broadcast
from schedules_pipeline.domain.service_guide import ServiceGuide

_NEVER = datetime.min.replace(tzinfo=UTC)
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_STILL_IMAGE = "urn:tva:metadata:cs:HowRelatedCS:2012:19"
_IMAGE_TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png"}


def render_by_lxml(guides: Sequence[ServiceGuide], rendition: Rendition) -> bytes:
    """The whole document."""
    ordered, naming = sorted(guides, key=lambda guide: guide.sid), rendition.naming
    document = etree.fromstring(f'<TVAMain xmlns="{NAMESPACE}"/>')
    document.set(_LANGUAGE, naming.language)
    description = _add(document, "ProgramDescription")
    programmes = _add(description, "ProgramInformationTable")
    for crid, broadcast in _programmes(ordered, rendition).items():
        programme = _add(programmes, "ProgramInformation", programId=crid)
        _describe(_add(programme, "BasicDescription"), broadcast, rendition)
        if parent := broadcast.series or broadcast.brand:
            _add(programme, "EpisodeOf", crid=naming.crid(parent.pid))
    locations = _add(description, "ProgramLocationTable")
    for guide in ordered:
        if guide.broadcasts or rendition.is_for_televisions:
            _add_schedule(locations, guide, rendition)
    return etree.tostring(document.getroottree(), encoding="UTF-8", xml_declaration=True)


def _programmes(ordered: Sequence[ServiceGuide], rendition: Rendition) -> dict[str, Broadcast]:
    """Each once, as the guide that was published last has it; those of that guide first."""
    found: dict[str, Broadcast] = {}
    for guide in sorted(ordered, key=lambda guide: guide.published_at or _NEVER, reverse=True):
        found = {rendition.naming.programme_crid(one): one for one in guide.broadcasts} | found
    ids = [
        rendition.naming.programme_crid(one)
        for guide in sorted(ordered, key=lambda guide: guide.published_at or _NEVER, reverse=True)
        for one in guide.broadcasts
    ]
    return {crid: found[crid] for crid in ids}


def _describe(description: etree._Element, broadcast: Broadcast, rendition: Rendition) -> None:
    title, subtitle = written(broadcast.title), written(broadcast.subtitle)
    if title:
        _add(description, "Title", fit(title, MAXIMUM_TITLE), type="main")
    else:
        _add(description, "Title", _placeholder(broadcast), type="main").set(_LANGUAGE, "en")
    if title and subtitle:
        _add(description, "Title", fit(subtitle, MAXIMUM_TITLE), type="secondary")
    for length, text in _synopses(broadcast):
        if length in ("short", "medium"):
            _add(description, "Synopsis", text, length=length)
    if broadcast.episode:
        url = render_image_url(rendition.image_url_template, broadcast.episode.image_pid)
        if kind := _IMAGE_TYPES.get(PurePosixPath(urlsplit(url).path).suffix.lower()):
            material = _add(description, "RelatedMaterial")
            _add(material, "HowRelated", href=_STILL_IMAGE)
            _add(_add(material, "MediaLocator"), "MediaUri", url, contentType=kind)


def _add_schedule(table: etree._Element, guide: ServiceGuide, rendition: Rendition) -> None:
    start = min([guide.window.start, *(broadcast.start for broadcast in guide.broadcasts)])
    end = max([guide.window.end, *(broadcast.end for broadcast in guide.broadcasts)])
    identity = {"serviceIDRef": rendition.naming.service_id(guide.sid)}
    schedule = _add(table, "Schedule", **identity, start=render_time(start), end=render_time(end))
    for broadcast in guide.broadcasts:
        _add_event(_add(schedule, "ScheduleEvent"), broadcast, rendition)


def _add_event(event: etree._Element, broadcast: Broadcast, rendition: Rendition) -> None:
    _add(event, "Program", crid=rendition.naming.programme_crid(broadcast))
    if broadcast.is_audio_described or not rendition.is_for_televisions:
        instance = _add(event, "InstanceDescription")
        if broadcast.is_audio_described:
            attributes = _add(_add(instance, "AVAttributes"), "AccessibilityAttributes")
            _add(_add(attributes, "AudioDescriptionAttributes"), "AudioAttributes")
        if not rendition.is_for_televisions:
            whose = {"type": BROADCAST_PID, "organization": rendition.naming.authority}
            _add(instance, "OtherIdentifier", broadcast.broadcast_pid, **whose)
    _add(event, "PublishedStartTime", render_time(broadcast.start))
    _add(event, "PublishedDuration", render_duration(broadcast.end - broadcast.start))
    if broadcast.is_repeat:
        _add(event, "FirstShowing", value="false")


def _add(parent: etree._Element, name: str, text: str = "", /, **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, f"{{{NAMESPACE}}}{name}", attributes)
    element.text = text or None
    return element
