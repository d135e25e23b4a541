"""XMLTV, as partners and their programs take it: written here, valid by ``xmltv.dtd`` and by ``tv_validate_file``.

Belongs here: the mapping of fields to elements, and the ids by which ``xmltv_import`` recognises the pipeline's own
guides. Does not belong here: cutting a guide (:mod:`~schedules_pipeline.domain.day_cut`).

Fields without an element are omitted, except for two that viewers need: they are keywords, the nearest element of the
DTD (:data:`AUDIO_DESCRIBED`, :data:`BLANKED`). No element has a ``lang``, since no source names the language of its
texts. Overlaps and gaps of the schedule stay.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from schedules_pipeline.documents.episode_numbers import EpisodeNumber, number_of
from schedules_pipeline.documents.image_url import image_size, render_image_url
from schedules_pipeline.documents.xml_text import escaped, quoted
from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.domain.programme import Episode
from schedules_pipeline.domain.published import Broadcast
from schedules_pipeline.domain.service_guide import DayVersion, ServiceGuide

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


def render_xmltv_start(
    services: Sequence[tuple[Sid, str]], published_at: datetime | None, *, domain: str
) -> bytes:
    """The channels of a guide, which are in the order of their ids. :func:`render_xmltv_programmes` of each follow, in
    one or more parts, and :data:`END`.

    ``services``: with their names; one without broadcasts is a channel too. ``published_at``: the latest publication.
    Equal arguments give equal bytes: nothing tells when it was rendered. Raises ValueError if a service is given twice.
    """
    for sid, count in Counter(sid for sid, _ in services).items():
        if count > 1:
            raise ValueError(f"service {sid} is given twice: cut its guide once, over the whole time")
    date = f' date="{render_time(published_at)}"' if published_at else ""
    root = f'<tv{date} generator-info-name="{GENERATOR}">'
    head = f"<?xml version='1.0' encoding='UTF-8'?>\n{DOCTYPE}\n{root}\n"
    return "".join((head, *(_channel(sid, name, domain) for sid, name in services))).encode()


def render_xmltv_programmes(guide: ServiceGuide, *, domain: str, image_url_template: str = "") -> bytes:
    """The programmes of one service behind the versions of their schedules, which stand in a guide as they are here."""
    channel, system = quoted(channel_id(guide.sid, domain)), quoted(domain)
    icon = _icon(image_url_template)
    parts = [_version(guide.sid, version) for version in guide.versions]
    for shown in guide.broadcasts:
        start, stop = render_time(shown.start), render_time(shown.end)
        parts.append(f'<programme start="{start}" stop="{stop}" channel="{channel}">\n')
        parts.extend(_elements(shown, icon))
        parts.extend(_numbers(shown, system))
        parts.extend(_rest(shown))
        parts.append("</programme>\n")
    return "".join(parts).encode()


def channel_id(sid: Sid, domain: str) -> str:
    """As RFC 2838 has it: a name below a domain. It has no underscores, and sids no hyphens, so none is lost."""
    return f"{sid.replace('_', '-')}.{domain}"


def render_time(at: datetime) -> str:
    """In UTC, with its offset: no reader has to know where the clocks change."""
    at = at.astimezone(UTC)
    fields = (at.year, at.month, at.day, at.hour, at.minute, at.second)
    return "%04d%02d%02d%02d%02d%02d +0000" % fields  # noqa: UP031 - a file has a hundred thousand times


def written(text: str) -> str:
    """The text on one line, without what XML cannot hold; in its place is a space."""
    return " ".join((text if text.isprintable() else _UNWRITABLE.sub(" ", text)).split())


def _channel(sid: Sid, name: str, domain: str) -> str:
    named = _element("display-name", written(name) or sid)
    return f'<channel id="{quoted(channel_id(sid, domain))}">\n{named}</channel>\n'


def _version(sid: Sid, version: DayVersion) -> str:
    text = f'sid="{sid}" date="{version.date}" seq="{version.seq}" etag="{quoted(version.etag)}"'
    return f"<?{VERSION_INSTRUCTION} {text}?>\n"


def _elements(broadcast: Broadcast, icon: str) -> Iterator[str]:
    """The elements before the numbers, in exactly the order that the DTD wants."""
    for tag, text in zip(("title", "sub-title"), _titles(broadcast), strict=False):
        yield _element(tag, text)
    if broadcast.episode is not None and (text := _description(broadcast.episode)):
        yield _element("desc", text)
    if broadcast.is_audio_described:
        yield _element("keyword", AUDIO_DESCRIBED)
    if broadcast.is_blanked:
        yield _element("keyword", BLANKED)
    if broadcast.episode is not None:
        yield render_image_url(icon, broadcast.episode.image_pid)


def _icon(template: str) -> str:
    """The element with ``{image_pid}`` in its address, which needs no escaping; "" without a template."""
    size = "".join(f' {name}="{pixels}"' for name, pixels in image_size(template).items())
    return f'  <icon src="{quoted(template)}"{size}/>\n' if template else ""


def _numbers(broadcast: Broadcast, domain: str) -> Iterator[str]:
    """Those that players read come first. The pipeline's own have the system ``domain``: pids, each behind its kind, as
    the DTD proposes for a database of one's own: ``episode/b0000001``.
    """
    number = EpisodeNumber() if broadcast.is_blanked else number_of(broadcast)
    if xmltv_ns := number.xmltv_ns:
        yield _number("xmltv_ns", xmltv_ns)
        yield _number("onscreen", number.onscreen)
    if broadcast.episode_pid:
        yield _number(domain, f"episode/{broadcast.episode_pid}")
    if broadcast.series is not None:
        yield _number(domain, f"series/{broadcast.series.pid}")
    if broadcast.brand is not None:
        yield _number(domain, f"brand/{broadcast.brand.pid}")
    if broadcast.version_pid:
        yield _number(domain, f"version/{broadcast.version_pid}")
    yield _number(domain, f"broadcast/{broadcast.broadcast_pid}")
    if number.is_derived:
        yield _number(domain, f"{DERIVED}xmltv_ns")
        yield _number(domain, f"{DERIVED}onscreen")


def _number(system: str, text: str) -> str:
    return f'  <episode-num system="{system}">{text}</episode-num>\n'


def _rest(broadcast: Broadcast) -> Iterator[str]:
    """The elements behind the numbers."""
    if broadcast.is_repeat:
        yield "  <previously-shown/>\n"
    elif broadcast.episode is not None:
        yield "  <new/>\n"
    if broadcast.is_signed:
        yield '  <subtitles type="deaf-signed"/>\n'
    if broadcast.episode and (warning := written(broadcast.episode.warning_text or "")):
        yield f'  <rating system="{ADVISORY}">\n  {_element("value", warning)}  </rating>\n'


def _element(tag: str, text: str) -> str:
    return f"  <{tag}>{escaped(text)}</{tag}>\n"


def _titles(broadcast: Broadcast) -> list[str]:
    """One or two; where the title says nothing that can be written, the sub-title takes its place."""
    if broadcast.is_blanked:
        return [BLANKED_TITLE]
    return [text for text in map(written, (broadcast.title, broadcast.subtitle)) if text] or [UNKNOWN_TITLE]


def _description(episode: Episode) -> str:
    """The longest synopsis there is; the one text that may have more lines than one."""
    texts = episode.synopses.texts
    found = ("\n".join(filter(None, map(written, text.splitlines()))) for text in reversed(texts) if text)
    return next(filter(None, found), "")
