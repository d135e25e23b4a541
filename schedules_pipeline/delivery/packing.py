"""Packs a document once for every request that will want it, and unpacks it for those who take it plain.

gzip is what everybody takes; zstd is smaller, and a tenth of the work to unpack.
"""

import gzip
from collections.abc import Iterator
from enum import StrEnum
from threading import local
from typing import NamedTuple

import zstandard

_GZIP_LEVEL = 6
_ZSTD_LEVEL = 9
_PIECE_BYTES = 131_072


class Coding(StrEnum):
    """Content codings, by their names in HTTP."""

    ZSTD = "zstd"
    GZIP = "gzip"
    IDENTITY = "identity"


class _Unpacking(local):
    """One for each thread, which must not share them; to make one takes as long as to unpack a schedule."""

    def __init__(self) -> None:
        self.zstd = zstandard.ZstdDecompressor()


_unpacking = _Unpacking()


class Packed(NamedTuple):
    """The same bytes in every coding but the plain one; ``size`` is that of the plain bytes."""

    zstd: bytes
    gzip: bytes
    size: int

    def coded(self, coding: Coding) -> bytes:
        match coding:
            case Coding.ZSTD:
                return self.zstd
            case Coding.GZIP:
                return self.gzip
            case Coding.IDENTITY:
                return _unpacking.zstd.decompress(self.zstd, max_output_size=self.size)

    def plain_pieces(self) -> Iterator[bytes]:
        """The plain bytes piece by piece, for what is large: so much of it is in memory at once and no more."""
        return zstandard.ZstdDecompressor().read_to_iter(self.zstd, write_size=_PIECE_BYTES)


def pack(plain: bytes) -> Packed:
    """The same input gives the same bytes: no time and no name is packed with it."""
    return Packed(
        zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(plain),
        gzip.compress(plain, _GZIP_LEVEL, mtime=0),
        len(plain),
    )
