"""Mends what most often makes a guide no XML: a byte of another encoding, a bare ``&``, an entity that XML lacks.

Belongs here: a stream of bytes that can be parsed, from one that cannot. Does not belong here: anything that changes
what a readable guide says. CDATA, comments and processing instructions stay as they are.
"""

import codecs
import re
from collections.abc import Callable
from html.entities import html5
from typing import Final

from schedules_pipeline.documents.xmltv_reader import Readable, Remark

_LONGEST_BEGUN: Final = 40
_LONGEST_HELD: Final = 1_000_000
"""Characters of a comment or CDATA section; a longer one is passed on in parts."""

_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"<\0", b"\0<")
_ENCODING: Final = re.compile(rb"""<\?xml[^>]*encoding=["']([\w.-]+)""")
_KEPT: Final = {"<![CDATA[": "]]>", "<!--": "-->", "<?": "?>"}
_PLACE: Final = re.compile(
    r"<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)|<\?.*?(?:\?>|\Z)"
    r"|&(?P<name>#[0-9]{1,7};|#x[0-9a-fA-F]{1,6};|[A-Za-z][A-Za-z0-9]{1,31};)?"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f]",
    re.DOTALL,
)
_BEGUN: Final = re.compile(r"(?:&#?[A-Za-z0-9]{0,32}|<(?:!(?:-|\[[CDAT]{0,5})?)?)\Z")
"""A reference or an opening that may go on."""
_WRONG_BYTE: Final = re.compile("[\udc80-\udcff]")
"""As Python decodes a byte that is not UTF-8 (``surrogateescape``)."""
_KNOWN: Final = frozenset({"amp;", "lt;", "gt;", "quot;", "apos;"})


class Repaired:
    """The same guide, with each repair told to ``remark``. UTF-16 is passed on unread."""

    def __init__(self, stream: Readable, remark: Callable[[Remark], object]) -> None:
        self._stream = stream
        self._remark = remark
        self._decoder: codecs.IncrementalDecoder | None = None
        self._encoding = ""
        self._held = ""
        self._has_ended = False

    def read(self, size: int, /) -> bytes:
        while not self._has_ended:
            chunk = self._stream.read(size)
            self._has_ended = not chunk
            if not self._encoding:
                self._encoding = _encoding_of(chunk)
            if self._encoding == "utf-16":
                return chunk
            if mended := self._mended(chunk):
                return mended
        return b""

    def _mended(self, chunk: bytes) -> bytes:
        text = self._held + self._decoded(chunk)
        end = len(text) if self._has_ended else _end_of_whole_places(text)
        self._held = text[end:]
        return _PLACE.sub(self._replace, text[:end]).encode(self._encoding)

    def _decoded(self, chunk: bytes) -> str:
        if self._decoder is None:
            self._decoder = codecs.getincrementaldecoder(self._encoding)("surrogateescape")
        return _WRONG_BYTE.sub(self._as_windows, self._decoder.decode(chunk, self._has_ended))

    def _as_windows(self, found: re.Match[str]) -> str:
        self._remark(Remark.MENDED_BYTE)
        return bytes([ord(found[0]) - 0xDC00]).decode("cp1252", "replace")

    def _replace(self, found: re.Match[str]) -> str:
        place, name = found[0], found["name"]
        if place.startswith("<") or (name and (name.startswith("#") or name in _KNOWN)):
            return place
        if not place.startswith("&"):
            self._remark(Remark.MENDED_BYTE)
            return " "
        if not name:
            self._remark(Remark.MENDED_AMPERSAND)
            return "&amp;"
        self._remark(Remark.MENDED_ENTITY)
        return "".join(f"&#{ord(one)};" for one in html5[name]) if name in html5 else f"&amp;{name}"


def _encoding_of(beginning: bytes) -> str:
    """Encodings of one byte a character are passed through as Latin-1: only their ASCII matters here."""
    if beginning.startswith(_UTF_16):
        return "utf-16"
    found = _ENCODING.search(beginning[:300])
    return "latin-1" if found and found[1].lower() not in (b"utf-8", b"utf8", b"us-ascii") else "utf-8"


def _end_of_whole_places(text: str) -> int:
    """Where to cut a text that goes on, so that nothing that is to be replaced or kept is cut."""
    cut = len(text)
    for found in _PLACE.finditer(text):
        closing = next((closing for opening, closing in _KEPT.items() if found[0].startswith(opening)), "")
        if closing and not found[0].endswith(closing) and len(found[0]) < _LONGEST_HELD:
            return found.start()
    if begun := _BEGUN.search(text, max(0, cut - _LONGEST_BEGUN)):
        cut = begun.start()
    return cut
