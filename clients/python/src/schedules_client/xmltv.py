"""An XMLTV guide from the local copy, as the service itself writes it: valid by ``xmltv.dtd`` and ``tv_validate_file``.

One service is in memory at a time. Characters that XML 1.0 cannot hold, and control characters that readers take for a
wrong encoding, become spaces.
"""

import errno
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from schedules_client.episode_numbers import EpisodeNumber, number_of
from schedules_client.merging import each_once
from schedules_client.model import Broadcast, Schedule, parse_instant
from schedules_client.store import StoredVersion

_UNWRITABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HEAD = """<?xml version='1.0' encoding='UTF-8'?>\n<!DOCTYPE tv SYSTEM "xmltv.dtd">\n"""
_BLANKED_TITLE, _UNKNOWN_TITLE = "Not available", "To be announced"
_IMAGE_PLACE = "{image_pid}"


@dataclass(frozen=True, slots=True)
class XmltvOptions:
    """``domain`` ends the ids of channels. ``image_url_template``: the address of an image, with ``{image_pid}`` in it;
    without it there are no icons. The operators name both.
    """

    domain: str = "schedules.example"
    image_url_template: str = ""


@dataclass(frozen=True, slots=True)
class Channel:
    """A service in the guide, with the versions of its schedules by date."""

    sid: str
    name: str
    versions: Sequence[StoredVersion]


def write_xmltv(
    path: Path,
    channels: Sequence[Channel],
    schedules_of: Callable[[str], list[Schedule]],
    options: XmltvOptions,
) -> None:
    """Replaces the file when the new one is complete; a link stays. Raises OSError, with the path, if it cannot be
    written, or is a device or a pipe, which cannot be replaced.
    """
    try:
        _replace(Path(os.path.realpath(path)), channels, schedules_of, options)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _replace(
    path: Path,
    channels: Sequence[Channel],
    schedules_of: Callable[[str], list[Schedule]],
    options: XmltvOptions,
) -> None:
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "Not a regular file")
    with NamedTemporaryFile(
        "w", encoding="utf-8", newline="\n", dir=path.parent, prefix=".schedules-", delete=False
    ) as file:
        try:
            _write(file, channels, schedules_of, options)
            file.flush()
            os.fsync(file.fileno())
            file.close()
            _make_readable(Path(file.name))
            Path(file.name).replace(path)
        except BaseException:
            file.close()
            with suppress(OSError):
                Path(file.name).unlink()
            raise


def _make_readable(path: Path) -> None:
    """As any new file; temporary ones are for their owner only."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)


def _write(
    file: IO[str],
    channels: Sequence[Channel],
    schedules_of: Callable[[str], list[Schedule]],
    options: XmltvOptions,
) -> None:
    ordered = sorted(channels, key=lambda channel: channel_id(channel.sid, options.domain))
    published = max((version.published_at for channel in ordered for version in channel.versions), default="")
    date = f' date="{_time(parse_instant(published))}"' if published else ""
    file.write(f'{_HEAD}<tv{date} generator-info-name="schedules-client">\n')
    for channel in ordered:
        file.write(f"<channel id={quoteattr(channel_id(channel.sid, options.domain))}>\n")
        file.write(_element("display-name", written(channel.name) or channel.sid))
        file.write("</channel>\n")
    for channel in ordered:
        name = channel_id(channel.sid, options.domain)
        for version in channel.versions:
            file.write(_version(channel.sid, version))
        for broadcast in each_once(schedules_of(channel.sid)):
            file.write("".join(_programme(broadcast, name, options)))
    file.write("</tv>\n")


def _version(sid: str, version: StoredVersion) -> str:
    """A processing instruction, which readers of XMLTV pass over."""
    text = f'sid="{sid}" date="{version.date}" seq="{version.seq}" etag="{version.etag}"'
    return f"<?schedule {text.replace('?>', '')}?>\n"


def channel_id(sid: str, domain: str) -> str:
    return f"{sid.replace('_', '-')}.{domain}"


def written(text: str) -> str:
    """The text on one line, without what XML cannot hold."""
    return " ".join(_UNWRITABLE.sub(" ", text).split())


def _programme(broadcast: Broadcast, channel: str, options: XmltvOptions) -> Iterator[str]:
    """The DTD wants the elements in exactly this order."""
    start, stop = _time(broadcast.start), _time(broadcast.end)
    yield f'<programme start="{start}" stop="{stop}" channel={quoteattr(channel)}>\n'
    for tag, text in zip(("title", "sub-title"), _titles(broadcast), strict=False):
        yield _element(tag, text)
    yield _element("desc", _description(broadcast))
    if broadcast.is_audio_described:
        yield _element("keyword", "audio-described")
    if broadcast.is_blanked:
        yield _element("keyword", "blanked")
    yield _icon(broadcast, options.image_url_template)
    yield from _numbers(broadcast, options.domain)
    if broadcast.is_repeat:
        yield "  <previously-shown/>\n"
    elif broadcast.episode is not None:
        yield "  <new/>\n"
    if broadcast.is_signed:
        yield '  <subtitles type="deaf-signed"/>\n'
    if warning := written(broadcast.episode.warning_text) if broadcast.episode else "":
        yield f'  <rating system="advisory">\n    <value>{escape(warning)}</value>\n  </rating>\n'
    yield "</programme>\n"


def _time(at: datetime) -> str:
    return f"{at.year:04}{at.month:02}{at.day:02}{at.hour:02}{at.minute:02}{at.second:02} +0000"


def _element(tag: str, text: str, **attributes: str) -> str:
    """Nothing if the text is empty."""
    inner = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
    return f"  <{tag}{inner}>{escape(text)}</{tag}>\n" if text else ""


def _titles(broadcast: Broadcast) -> list[str]:
    """One or two; if the title is empty, the sub-title takes its place."""
    if broadcast.is_blanked:
        return [_BLANKED_TITLE]
    return [text for text in map(written, (broadcast.title, broadcast.subtitle)) if text] or [_UNKNOWN_TITLE]


def _description(broadcast: Broadcast) -> str:
    """The longest synopsis; the only text that may have several lines."""
    synopses = broadcast.episode.synopses if broadcast.episode else {}
    texts = [synopses.get(length) or "" for length in ("long", "medium", "short")]
    lines = [(written(line) for line in text.splitlines()) for text in texts]
    return next((text for text in ("\n".join(filter(None, found)) for found in lines) if text), "")


def _icon(broadcast: Broadcast, template: str) -> str:
    pid = broadcast.episode.image_pid if broadcast.episode else ""
    if not (pid and template):
        return ""
    source = template.replace(_IMAGE_PLACE, quote(pid, safe="", errors="replace"))
    return f"  <icon src={quoteattr(source)}{_size(template)}/>\n"


@lru_cache(8)
def _size(template: str) -> str:
    """Attributes, if the template has one segment such as ``640x360``."""
    found = re.findall(r"(?<=/)([1-9]\d{1,4})x([1-9]\d{1,4})(?=/)", template, re.ASCII)
    return f' width="{found[0][0]}" height="{found[0][1]}"' if len(found) == 1 else ""


def _numbers(broadcast: Broadcast, domain: str) -> Iterator[str]:
    """Those that players read come first, then the pids, each behind its kind as the DTD proposes."""
    number = EpisodeNumber() if broadcast.is_blanked else number_of(broadcast)
    yield _element("episode-num", number.xmltv_ns, system="xmltv_ns")
    yield _element("episode-num", number.onscreen, system="onscreen")
    pids = {
        "episode": broadcast.episode_pid,
        "series": broadcast.series.pid if broadcast.series else "",
        "brand": broadcast.brand.pid if broadcast.brand else "",
        "version": broadcast.version_pid,
        "broadcast": broadcast.broadcast_pid,
    }
    for kind, pid in pids.items():
        yield _element("episode-num", pid and f"{kind}/{pid}", system=domain)
    for system in ("xmltv_ns", "onscreen") if number.is_derived else ():
        yield _element("episode-num", f"derived/{system}", system=domain)
