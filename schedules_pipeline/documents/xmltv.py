"""XMLTV, as partners and their programs take it: written here, valid by ``xmltv.dtd`` and by ``tv_validate_file``.

Belongs here: the mapping of fields to elements, and the ids by which ``xmltv_import`` recognises the pipeline's own
guides. Does not belong here: cutting a guide (:mod:`~schedules_pipeline.domain.day_cut`).

Fields without an element are omitted, except for two that viewers need: they are keywords, the nearest element of the
DTD (:data:`AUDIO_DESCRIBED`, :data:`BLANKED`). No element has a ``lang``, since no source names the language of its
texts. Overlaps and gaps of the schedule stay.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from lxml import etree

from schedules_pipeline.documents.episode_numbers import EpisodeNumber, number_of
from schedules_pipeline.documents.image_url import image_size, render_image_url
from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.domain.published import Broadcast
from schedules_pipeline.domain.service_guide import ServiceGuide

MEDIA_TYPE = "application/xml"
GENERATOR = "schedules-pipeline"
DOCTYPE = '<!DOCTYPE tv SYSTEM "xmltv.dtd">'
END = b"</tv>\n"

BLANKED_TITLE = "Not available"
UNKNOWN_TITLE = "To be announced"
"""A slot must have a title: of a blanked broadcast, and of one whose programme is unknown or has no title."""

AUDIO_DESCRIBED = "audio-described"
BLANKED = "blanked"
DERIVED = "derived/"
"""Before the systems whose number was read from a title, as a number of the pipeline's own system."""
VERSION_INSTRUCTION = "schedule"
"""The processing instruction that names the version of a schedule in the guide. Readers of XMLTV pass over it."""
ADVISORY = "advisory"
"""The system of a rating that is no certificate but a text, as other producers name it."""

_UNWRITABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, and the control characters that it can but readers take for a wrong encoding."""


def render_xmltv(guides: Sequence[ServiceGuide], *, domain: str, image_url_template: str = "") -> bytes:
    """A guide of these services: first the channels, then the broadcasts of each.

    Equal guides give equal bytes: channels are in the order of their ids, and nothing tells when it was rendered.
    A service without broadcasts is a channel too. Raises ValueError if a service is given twice.
    """
    ordered = _in_order(guides, domain)
    start = render_xmltv_start(ordered, domain=domain)
    programmes = [
        render_xmltv_programmes(guide, domain=domain, image_url_template=image_url_template)
        for guide in ordered
    ]
    return b"".join((start, *programmes, END))


def render_xmltv_start(guides: Sequence[ServiceGuide], *, domain: str) -> bytes:
    """The channels of a guide. The programmes of each service follow, in any order, and :data:`END`."""
    ordered = _in_order(guides, domain)
    _reject_repeats(ordered)
    head = f"<?xml version='1.0' encoding='UTF-8'?>\n{DOCTYPE}\n".encode()
    root = etree.tostring(etree.Element("tv", _attributes(ordered)), encoding="UTF-8", xml_declaration=False)
    return head + root.removesuffix(b"/>") + b">\n" + _text(_channels(ordered, domain))


def render_xmltv_programmes(guide: ServiceGuide, *, domain: str, image_url_template: str = "") -> bytes:
    """The programmes of one service, which stand in a guide as they are here."""
    channel = channel_id(guide.sid, domain)
    return _text(_programme(shown, channel, domain, image_url_template) for shown in guide.broadcasts)


def channel_id(sid: Sid, domain: str) -> str:
    """As RFC 2838 has it: a name below a domain. It has no underscores, and sids no hyphens, so none is lost."""
    return f"{sid.replace('_', '-')}.{domain}"


def render_time(at: datetime) -> str:
    """In UTC, with its offset: no reader has to know where the clocks change."""
    at = at.astimezone(UTC)
    # Formatted by hand rather than by strftime, because a file has a hundred thousand times.
    return f"{at.year:04}{at.month:02}{at.day:02}{at.hour:02}{at.minute:02}{at.second:02} +0000"


def written(text: str) -> str:
    """The text on one line, without what XML cannot hold; in its place is a space."""
    return " ".join(_UNWRITABLE.sub(" ", text).split())


def _in_order(guides: Sequence[ServiceGuide], domain: str) -> list[ServiceGuide]:
    return sorted(guides, key=lambda guide: channel_id(guide.sid, domain))


def _text(elements: Iterable[etree._Element]) -> bytes:
    return b"".join(
        etree.tostring(element, encoding="UTF-8", xml_declaration=False, pretty_print=True)
        for element in elements
    )


def _reject_repeats(ordered: Sequence[ServiceGuide]) -> None:
    for one, other in pairwise(ordered):
        if one.sid == other.sid:
            raise ValueError(f"service {one.sid} is given twice: cut its guide once, over the whole time")


def _attributes(guides: Sequence[ServiceGuide]) -> dict[str, str]:
    """``date`` is when the listings were made, which is when the latest of them was published."""
    published = [guide.published_at for guide in guides if guide.published_at is not None]
    date = {"date": render_time(max(published))} if published else {}
    return date | {"generator-info-name": GENERATOR}


def _channels(guides: Sequence[ServiceGuide], domain: str) -> Iterator[etree._Element]:
    for guide in guides:
        channel = etree.Element("channel", id=channel_id(guide.sid, domain))
        _add(channel, "display-name", written(guide.name) or guide.sid)
        yield channel
        for version in guide.versions:
            text = f'sid="{guide.sid}" date="{version.date}" seq="{version.seq}" etag="{version.etag}"'
            yield etree.ProcessingInstruction(VERSION_INSTRUCTION, text)


def _programme(broadcast: Broadcast, channel: str, domain: str, image_url_template: str) -> etree._Element:
    """The DTD wants the elements in exactly this order."""
    times = {"start": render_time(broadcast.start), "stop": render_time(broadcast.end)}
    programme = etree.Element("programme", times | {"channel": channel})
    for tag, text in zip(("title", "sub-title"), _titles(broadcast), strict=False):
        _add(programme, tag, text)
    _add(programme, "desc", _description(broadcast))
    for keyword in _keywords(broadcast):
        _add(programme, "keyword", keyword)
    if icon := _icon(broadcast, image_url_template):
        etree.SubElement(programme, "icon", {"src": icon} | image_size(image_url_template))
    _add_numbers(programme, broadcast, domain)
    if broadcast.is_repeat:
        etree.SubElement(programme, "previously-shown")
    elif broadcast.episode is not None:
        etree.SubElement(programme, "new")
    if broadcast.is_signed:
        etree.SubElement(programme, "subtitles", type="deaf-signed")
    _add_warning(programme, broadcast)
    return programme


def _add(parent: etree._Element, tag: str, text: str, **attributes: str) -> None:
    """Nothing where the text is empty: an element that has no text must not be written."""
    if text:
        etree.SubElement(parent, tag, attributes).text = text


def _titles(broadcast: Broadcast) -> list[str]:
    """One or two; where the title says nothing that can be written, the sub-title takes its place."""
    if broadcast.is_blanked:
        return [BLANKED_TITLE]
    return [text for text in map(written, (broadcast.title, broadcast.subtitle)) if text] or [UNKNOWN_TITLE]


def _description(broadcast: Broadcast) -> str:
    """The longest synopsis there is; the one text that may have more lines than one."""
    if broadcast.episode is None:
        return ""
    short, medium, long = broadcast.episode.synopses.texts
    lines = [(written(line) for line in text.splitlines()) for text in (long, medium, short)]
    return next((text for text in ("\n".join(filter(None, found)) for found in lines) if text), "")


def _keywords(broadcast: Broadcast) -> Iterator[str]:
    if broadcast.is_audio_described:
        yield AUDIO_DESCRIBED
    if broadcast.is_blanked:
        yield BLANKED


def _icon(broadcast: Broadcast, template: str) -> str:
    image_pid = broadcast.episode.image_pid if broadcast.episode else ""
    return render_image_url(template, image_pid)


def _add_numbers(programme: etree._Element, broadcast: Broadcast, domain: str) -> None:
    """Those that players read come first."""
    number = EpisodeNumber() if broadcast.is_blanked else number_of(broadcast)
    for system, text in (("xmltv_ns", number.xmltv_ns), ("onscreen", number.onscreen)):
        _add(programme, "episode-num", text, system=system)
    for text in _numbers(broadcast):
        _add(programme, "episode-num", text, system=domain)
    if number.is_derived:
        for system in ("xmltv_ns", "onscreen"):
            _add(programme, "episode-num", DERIVED + system, system=domain)


def _numbers(broadcast: Broadcast) -> Iterator[str]:
    """Our pids, each behind its kind as the DTD proposes for a database of one's own: ``episode/b0000001``."""
    parent_pids = {
        "series": broadcast.series and broadcast.series.pid,
        "brand": broadcast.brand and broadcast.brand.pid,
    }
    pids = {"episode": broadcast.episode_pid, **parent_pids, "version": broadcast.version_pid}
    yield from (f"{kind}/{pid}" for kind, pid in pids.items() if pid)
    yield f"broadcast/{broadcast.broadcast_pid}"


def _add_warning(programme: etree._Element, broadcast: Broadcast) -> None:
    warning = written(broadcast.episode.warning_text or "") if broadcast.episode else ""
    if warning:
        _add(etree.SubElement(programme, "rating", system=ADVISORY), "value", warning)
