"""XMLTV as lxml writes it, element by element: the oracle for the pipeline's own writing."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from io import BytesIO

from lxml import etree

from schedules_pipeline.documents.episode_numbers import EpisodeNumber, number_of
from schedules_pipeline.documents.image_url import image_size, render_image_url
from schedules_pipeline.domain.published import Broadcast
from schedules_pipeline.domain.service_guide import ServiceGuide

_UNWRITABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_by_lxml(guides: Sequence[ServiceGuide], domain: str, template: str) -> bytes:
    """The whole document."""
    ordered = sorted(guides, key=lambda guide: _channel_id(guide, domain))
    published = [guide.published_at for guide in guides if guide.published_at]
    dated = {"date": _time(max(published))} if published else {}
    out = BytesIO()
    with etree.xmlfile(out, encoding="UTF-8") as file:
        file.write_declaration()
        file.write_doctype('<!DOCTYPE tv SYSTEM "xmltv.dtd">')
        with file.element("tv", dated | {"generator-info-name": "schedules-pipeline"}):
            file.write("\n")
            for guide in ordered:
                for element in _channel(guide, domain):
                    file.write(element, pretty_print=True)
            for guide in ordered:
                for shown in guide.broadcasts:
                    programme = etree.Element("programme", start=_time(shown.start), stop=_time(shown.end))
                    programme.set("channel", _channel_id(guide, domain))
                    _fill(programme, shown, domain, template)
                    file.write(programme, pretty_print=True)
    return out.getvalue() + b"\n"


def _channel_id(guide: ServiceGuide, domain: str) -> str:
    return f"{guide.sid.replace('_', '-')}.{domain}"


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%d%H%M%S} +0000"


def _written(text: str) -> str:
    return " ".join(_UNWRITABLE.sub(" ", text).split())


def _add(parent: etree._Element, tag: str, text: str = "", **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, tag, attributes)
    element.text = text or None
    return element


def _channel(guide: ServiceGuide, domain: str) -> Iterator[etree._Element]:
    channel = etree.Element("channel", id=_channel_id(guide, domain))
    _add(channel, "display-name", _written(guide.name) or guide.sid)
    yield channel
    for day, seq, etag in guide.versions:
        text = f'sid="{guide.sid}" date="{day}" seq="{seq}" etag="{etag}"'
        yield etree.ProcessingInstruction("schedule", text)


def _fill(programme: etree._Element, shown: Broadcast, domain: str, template: str) -> None:
    titles = ["Not available"] if shown.is_blanked else [_written(shown.title), _written(shown.subtitle)]
    titles = list(filter(None, titles)) or ["To be announced"]
    for tag, text in zip(("title", "sub-title"), titles, strict=False):
        _add(programme, tag, text)
    if shown.episode:
        synopses = shown.episode.synopses
        texts = [
            "\n".join(filter(None, map(_written, text.splitlines())))
            for text in (synopses.long, synopses.medium, synopses.short)
        ]
        for text in list(filter(None, texts))[:1]:
            _add(programme, "desc", text)
    keywords = {"audio-described": shown.is_audio_described, "blanked": shown.is_blanked}
    for keyword in (keyword for keyword, is_so in keywords.items() if is_so):
        _add(programme, "keyword", keyword)
    if shown.episode and (url := render_image_url(template, shown.episode.image_pid)):
        _add(programme, "icon", **{"src": url, **image_size(template)})
    for system, text in _numbers(shown, domain):
        _add(programme, "episode-num", text, system=system)
    _add_flags(programme, shown)


def _numbers(shown: Broadcast, domain: str) -> Iterator[tuple[str, str]]:
    number = EpisodeNumber() if shown.is_blanked else number_of(shown)
    players = [("xmltv_ns", number.xmltv_ns), ("onscreen", number.onscreen)]
    yield from (pair for pair in players if pair[1])
    pids = {
        "episode": shown.episode_pid,
        "series": shown.series and shown.series.pid,
        "brand": shown.brand and shown.brand.pid,
        "version": shown.version_pid,
        "broadcast": shown.broadcast_pid,
    }
    yield from ((domain, f"{kind}/{pid}") for kind, pid in pids.items() if pid)
    if number.is_derived:
        yield from ((domain, f"derived/{system}") for system, _ in players)


def _add_flags(programme: etree._Element, shown: Broadcast) -> None:
    if shown.is_repeat:
        _add(programme, "previously-shown")
    elif shown.episode:
        _add(programme, "new")
    if shown.is_signed:
        _add(programme, "subtitles", type="deaf-signed")
    if shown.episode and (warning := _written(shown.episode.warning_text or "")):
        _add(_add(programme, "rating", system="advisory"), "value", warning)
