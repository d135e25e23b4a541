"""XMLTV as others write it: from the bytes of a guide to its channels and programmes, one after the other.

Belongs here: a safe parse that holds one element at a time, times, languages, and readable deviations from the DTD.
Does not belong here: using the result (``xmltv_import``), and opening files.

A DTD is not loaded, and entities are rejected, so that nothing is fetched. Unknown elements and attributes are ignored,
in any order.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from lxml import etree

from schedules_pipeline.domain.printable import printable, shorten
from schedules_pipeline.errors import InvalidDocument

MAXIMUM_BYTES: Final = 1_000_000_000
"""Of the document, unpacked. Whole continents fit into it."""

_CHUNK: Final = 65_536
_LARGEST_ELEMENT: Final = 4_194_304
"""Bytes of one element below the root, far above any real one. It bounds the memory."""
NOT_WELL_FORMED: Final = "the guide is not well-formed XML"
_NOTHING_ODD: Final = "0/1"


class Remark(StrEnum):
    """Deviations from the DTD, each with the remedy. The importer counts them."""

    CHANNEL_REPEATED = "channel described twice: the first description counts"
    CHANNEL_UNDESCRIBED = "channel without a description: named by its id"
    CHANNEL_RENAMED = "channel whose id is too like another's: told apart by its hash"
    NO_CHANNEL = "programme without a channel: left out"
    NO_START = "programme whose start is no time: left out"
    NO_STOP = "programme whose stop is missing or wrong: ends when the next begins"
    NO_END = "programme whose stop is missing or wrong, and none begins within 12 hours: left out"
    NO_LENGTH = "programme that ends when it begins: left out"
    NO_TITLE = "programme without a title: keeps its slot"
    CLUMPED = "programme that shares its slot (clumpidx): overlaps the others"
    REPEATED = "programme that is given twice: the second is left out"
    RETITLED = "programme with the number of another title: taken for another episode"
    SHORTENED = "text that is too long: cut"
    TOO_MANY = "programme above the limit of a day: left out"
    MENDED_BYTE = "text with a byte that is none in its encoding: read as Windows-1252, or as a space"
    MENDED_AMPERSAND = "text with a bare &: read as that character"
    MENDED_ENTITY = "text with an entity that XML lacks: read as in HTML, or as it stands"


class Head(NamedTuple):
    """``date``: the date that the listings name; None without one."""

    date: datetime | None


class Channel(NamedTuple):
    id: str
    name: str


class Number(NamedTuple):
    system: str
    text: str


class Programme(NamedTuple):
    """``stop`` is None unless it is after the start. Texts are on one line."""

    channel: str
    start: datetime
    stop: datetime | None
    title: str
    subtitle: str
    description: str
    date: str
    numbers: tuple[Number, ...]
    keywords: frozenset[str]
    icon: str
    advisory: str
    is_repeat: bool
    is_signed: bool


Element: TypeAlias = Head | Channel | Programme


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Reading:
    """``zone``: the zone of times without one (by the DTD, UTC). ``language``: the preferred language of texts; else
    the first text counts. ``remark`` is called for each deviation.
    """

    zone: tzinfo = UTC
    language: str = ""
    remark: Callable[[Remark], object] = lambda _: None
    maximum_bytes: int = MAXIMUM_BYTES


def read_elements(stream: Readable, how: Reading) -> Iterator[Element]:
    """Yield the head, then channels and programmes in their order.

    Raises :class:`InvalidDocument` where it is not well-formed, no XMLTV, declares entities or is too large; what
    stands before that place has been yielded by then.
    """
    parser = etree.XMLPullParser(events=("start", "end"), resolve_entities=False, no_network=True)
    held = 0
    root: etree._Element | None = None
    for chunk in _chunks(stream, how.maximum_bytes):
        _feed(parser, chunk)
        events: Iterator[tuple[str, etree._Element]] = parser.read_events()  # type: ignore[assignment]
        for event, element in events:
            if root is None:
                root = _checked_root(element)
                yield Head(_date(root, how))
            elif event == "end" and element.getparent() is root:
                yield from _read(element, how)
        held = _let_go(root, held + len(chunk))
    _close(parser)


def _chunks(stream: Readable, maximum_bytes: int) -> Iterator[bytes]:
    size = 0
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
        if size > maximum_bytes:
            raise InvalidDocument(f"the guide is larger than {maximum_bytes:,} bytes")
        yield chunk


def _feed(parser: etree.XMLPullParser, chunk: bytes) -> None:
    try:
        parser.feed(chunk)
    except etree.XMLSyntaxError as error:
        raise _not_well_formed(error) from error


def _close(parser: etree.XMLPullParser) -> None:
    try:
        parser.close()
    except etree.XMLSyntaxError as error:
        raise _not_well_formed(error) from error


def _not_well_formed(error: etree.XMLSyntaxError) -> InvalidDocument:
    return InvalidDocument(f"{NOT_WELL_FORMED}: {printable(shorten(str(error), 300))}")


def _checked_root(root: etree._Element) -> etree._Element:
    if root.tag != "tv":
        raise InvalidDocument(f"not an XMLTV guide: its root is {root.tag[:60]!r}, not 'tv'")
    declared: Any = root.getroottree().docinfo.internalDTD
    if declared is not None and declared.entities():
        raise InvalidDocument(
            "the guide declares entities, which no guide needs and which can fill any memory"
        )
    return root


def _let_go(root: etree._Element | None, held: int) -> int:
    """Forget all children but the last, which may not be complete; answers with how many bytes are held."""
    if root is not None and len(root) > 1:
        del root[:-1]
        root.text = None
        return 0
    if held > _LARGEST_ELEMENT:
        raise InvalidDocument(f"the guide has {held:,} bytes without a second channel or programme")
    return held


def _read(element: etree._Element, how: Reading) -> Iterator[Element]:
    if element.tag == "channel":
        if channel_id := _collapsed(element.get("id")):
            yield Channel(channel_id, _pick(element, "display-name", how.language) or channel_id)
    elif element.tag == "programme":
        yield from _read_programme(element, how)


def _read_programme(element: etree._Element, how: Reading) -> Iterator[Programme]:
    channel, start = _collapsed(element.get("channel")), parse_time(element.get("start"), how.zone)
    if not channel or start is None:
        how.remark(Remark.NO_START if channel else Remark.NO_CHANNEL)
        return
    stop = parse_time(element.get("stop"), how.zone)
    if stop == start:
        how.remark(Remark.NO_LENGTH)
        return
    if element.get("clumpidx", _NOTHING_ODD).replace(" ", "") != _NOTHING_ODD:
        how.remark(Remark.CLUMPED)
    title = _first(element, "title", how.language)
    if not _text(title):
        how.remark(Remark.NO_TITLE)
    language = _language(title) or how.language
    yield Programme(
        channel,
        start,
        stop if stop is not None and stop > start else None,
        _text(title),
        _pick(element, "sub-title", language),
        _pick(element, "desc", language),
        _collapsed(element.findtext("date")),
        tuple(_numbers(element)),
        frozenset(_text(keyword) for keyword in element.iterfind("keyword")),
        next((icon.get("src", "") for icon in element.iterfind("icon")), ""),
        "; ".join(
            filter(None, (_text(value) for value in element.iterfind("rating[@system='advisory']/value")))
        ),
        element.find("previously-shown") is not None,
        element.find("subtitles[@type='deaf-signed']") is not None,
    )


def _numbers(element: etree._Element) -> Iterator[Number]:
    for number in element.iterfind("episode-num"):
        if text := _text(number):
            yield Number(_collapsed(number.get("system")) or "onscreen", text)


def _date(root: etree._Element, how: Reading) -> datetime | None:
    return parse_time(root.get("date"), how.zone)


def _pick(element: etree._Element, tag: str, language: str) -> str:
    return _text(_first(element, tag, language))


def _first(element: etree._Element, tag: str, language: str) -> etree._Element | None:
    """The first with this tag that has a text, in the language where one is."""
    found = [child for child in element.iterfind(tag) if _text(child)]
    return next(
        (child for child in found if language and _language(child) == language), found[0] if found else None
    )


def _language(element: etree._Element | None) -> str:
    """``en`` of ``en_GB``."""
    name = "" if element is None else element.get("lang", "")
    return re.split("[-_]", name.strip().lower())[0]


def _text(element: etree._Element | None) -> str:
    return "" if element is None else _collapsed("".join(map(str, element.itertext())))


def _collapsed(text: str | None) -> str:
    return " ".join((text or "").split())


_TIME: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)?(\d\d)? ?(\S*)", re.ASCII)
_OFFSET: Final = re.compile(r"([+-])(\d\d):?([0-5]\d)", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = 3, 9997
"""Between them every broadcast day begins and ends at an instant that there is."""

_HOURS: Final = MappingProxyType(
    {"Z": 0, "UTC": 0, "UT": 0, "GMT": 0, "WET": 0, "BST": 1, "WEST": 1, "CET": 1, "MEZ": 1, "MET": 1}
    | {"CEST": 2, "MESZ": 2, "MEST": 2, "EET": 2, "EEST": 3, "MSK": 3}
    | {"EDT": -4, "EST": -5, "CDT": -5, "CST": -6, "MDT": -6, "MST": -7, "PDT": -7, "PST": -8}
    | {"AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13}
)
"""Names of zones in guides. BST is +0100, as the DTD says."""


def parse_time(text: str | None, zone: tzinfo) -> datetime | None:
    """``20260328060000 +0000``, or its beginning down to the hour, as an instant in UTC; None for anything else.

    A name or an offset may follow; without one the time is one of ``zone``.
    """
    match = _TIME.fullmatch(_collapsed(text))
    if match is None:
        return None
    *numbers, zone_name = match.groups("0")
    where = _zone(zone_name, zone)
    try:
        at = datetime(*map(int, numbers), tzinfo=where or UTC).astimezone(UTC)  # type: ignore[misc,arg-type]
    except (ValueError, OverflowError):
        return None
    return at if where is not None and _FIRST_YEAR <= at.year <= _LAST_YEAR else None


def _zone(name: str, default: tzinfo) -> tzinfo | None:
    if not name:
        return default
    if match := _OFFSET.fullmatch(name):
        sign, hours, minutes = match.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-offset if sign == "-" else offset) if offset < timedelta(days=1) else None
    hours_ahead = _HOURS.get(name.upper())
    return None if hours_ahead is None else timezone(timedelta(hours=hours_ahead))
