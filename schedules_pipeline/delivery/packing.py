"""Compresses an answer once for all requests, and decompresses it for clients that accept no coding.

A published document is served as the Zstandard frame that the publisher has stored.
Every client accepts gzip; zstd takes less time to decompress.
"""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import zstandard

from schedules_pipeline.documents.stored_form import decompress, exact

_GZIP_LEVEL = 6
_ZSTD_LEVEL = 9
_PIECE_BYTES = 131_072


class Coding(StrEnum):
    """Content codings, by their names in HTTP."""

    ZSTD = "zstd"
    GZIP = "gzip"
    IDENTITY = "identity"


@dataclass(slots=True)
class Packed:
    """The same bytes in every coding but the plain one; ``size`` is that of the plain bytes.

    ``made_gzip``: empty until the first client asks for it.
    """

    zstd: bytes
    made_gzip: bytes
    size: int

    @property
    def gzip(self) -> bytes:
        if not self.made_gzip:
            self.made_gzip = _gzip(decompress(self.zstd))
        return self.made_gzip

    def coded(self, coding: Coding) -> bytes:
        match coding:
            case Coding.ZSTD:
                return self.zstd
            case Coding.GZIP:
                return self.gzip
            case Coding.IDENTITY:
                return decompress(self.zstd)

    def plain_pieces(self) -> Iterator[bytes]:
        """The plain bytes in pieces, so that a large document is never in memory as a whole."""
        return zstandard.ZstdDecompressor().read_to_iter(self.zstd, write_size=_PIECE_BYTES)


def pack(plain: bytes) -> Packed:
    """Equal input gives equal bytes: neither time nor name is stored."""
    return Packed(
        exact(zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(plain)), _gzip(plain), len(plain)
    )


def pack_frame(frame: bytes, plain: bytes) -> Packed:
    """``frame``: the plain bytes as a Zstandard frame.

    A small document is compressed by gzip when the first client asks for it: of many versions a second, most are
    replaced before one does.
    """
    return Packed(frame, _gzip(plain) if len(plain) > _PIECE_BYTES else b"", len(plain))


def _gzip(plain: bytes) -> bytes:
    return gzip.compress(plain, _GZIP_LEVEL, mtime=0)
