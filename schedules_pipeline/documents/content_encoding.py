"""Undoes the ``Content-Encoding`` that an object names, within a limit, and skips a byte-order mark."""

import codecs
import zlib
from collections.abc import Callable

import zstandard

from schedules_pipeline.errors import InvalidDocument

_UNENCODED = frozenset({"", "identity", "aws-chunked"})
"""``aws-chunked`` describes an upload. Some stores keep it as if it described the object."""

_MOST_ENCODINGS = 3
_LARGEST_WINDOW_BYTES = 1 << 27
"""The memory that a Zstandard frame may ask for: the default limit of ``zstd``, of 128 MiB."""

_PIECE_BYTES = 256
"""Zstandard is decompressed by pieces, since one call has no limit: a piece of this size gives 8 MiB at most."""


def decode_content(content: bytes, encoding: str, maximum_bytes: int) -> bytes:
    """The document in an object whose encodings are listed in the order in which they were applied.

    Raises :class:`InvalidDocument` if an encoding is unknown, the content is damaged, or any step gives more than
    ``maximum_bytes``.
    """
    names = [name for part in encoding.split(",") if (name := part.strip().lower()) not in _UNENCODED]
    if unknown := [name for name in names if name not in _DECODERS]:
        raise InvalidDocument(
            f"the Content-Encoding {unknown[0][:40]!r} is unknown: store the document plain, or as gzip or zstd"
        )
    if len(names) > _MOST_ENCODINGS:
        raise InvalidDocument(
            f"the Content-Encoding names {len(names)} encodings; the most are {_MOST_ENCODINGS}"
        )
    for name in reversed(names):
        content = _decode(content, name, maximum_bytes)
    return content.removeprefix(codecs.BOM_UTF8)


def _decode(content: bytes, name: str, maximum_bytes: int) -> bytes:
    try:
        decoded = _DECODERS[name](content, maximum_bytes + 1)
    except (zlib.error, zstandard.ZstdError, EOFError) as error:
        raise InvalidDocument(
            f"the content cannot be decoded as {name}, its Content-Encoding: {error}"
        ) from error
    if len(decoded) > maximum_bytes:
        raise InvalidDocument(
            f"decoded from {name} it has more than {maximum_bytes:,} bytes, the most that a document may have "
            "(the setting SCHEDULES_MAXIMUM_SCHEDULE_BYTES)"
        )
    return decoded


def _gunzip(content: bytes, most: int) -> bytes:
    """At most so many bytes of all members of the file."""
    decoded = bytearray()
    while content and len(decoded) < most:
        member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        decoded += member.decompress(content, most - len(decoded))
        if not member.eof and len(decoded) < most:
            raise EOFError("it is cut off")
        content = member.unused_data.lstrip(b"\0")
    return bytes(decoded)


def _decompress_zstandard(content: bytes, most: int) -> bytes:
    """All frames, or somewhat more than so many bytes of them."""
    decoded = bytearray()
    while content and len(decoded) < most:
        frame = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW_BYTES).decompressobj()
        read = 0
        while not frame.eof and read < len(content) and len(decoded) < most:
            decoded += frame.decompress(content[read : read + _PIECE_BYTES])
            read += _PIECE_BYTES
        if not frame.eof and len(decoded) < most:
            raise EOFError("it is cut off")
        content = frame.unused_data + content[read:]
    return bytes(decoded)


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "zstd": _decompress_zstandard,
}
