"""Compresses an answer once for all requests, and decompresses it for clients that accept no coding.

A published document is served as the Zstandard frame that the publisher has stored.
Every client accepts gzip; zstd takes less time to decompress.
"""

import gzip
import zlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import zstandard

from schedules_pipeline.documents.stored_form import decompress, exact

_GZIP_LEVEL = 6
_ZSTD_LEVEL = 9
_PIECE_BYTES = 131_072

_GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_LAST_BLOCK = b"\x03\0"
_POLYNOMIAL = 0xEDB88320
_ONE, _X_TO_THE_EIGHTH = 1 << 31, 1 << 23


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
    def weight(self) -> int:
        return len(self.zstd) + len(self.gzip)

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


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a document, as blocks of DEFLATE that end at a byte and refer to no other piece.

    ``checksum``: the CRC-32 of the plain bytes. ``shift``: what the CRC-32 of everything before is multiplied by.
    """

    deflated: bytes
    size: int
    checksum: int
    shift: int

    @property
    def weight(self) -> int:
        return len(self.deflated)

    def plain(self) -> bytes:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(self.deflated)


def deflate(plain: bytes) -> Piece:
    compressor = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    deflated = compressor.compress(plain) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return Piece(deflated, len(plain), zlib.crc32(plain), _shift(len(plain)))


def joined_size(pieces: Sequence[Piece], *, as_gzip: bool) -> int:
    """Of the pieces, plain or as :func:`join_gzip` joins them."""
    if as_gzip:
        return len(_GZIP_HEADER) + sum(len(piece.deflated) for piece in pieces) + len(_LAST_BLOCK) + 8
    return sum(piece.size for piece in pieces)


async def join_gzip(groups: AsyncIterator[Sequence[Piece]]) -> AsyncIterator[bytes]:
    """The pieces as one gzip file of a single member, since not every reader reads several."""
    yield _GZIP_HEADER
    size = checksum = 0
    async for pieces in groups:
        yield b"".join(piece.deflated for piece in pieces)
        for piece in pieces:
            # As zlib's crc32_combine.
            size, checksum = size + piece.size, _multiply(piece.shift, checksum) ^ piece.checksum
    yield _LAST_BLOCK + checksum.to_bytes(4, "little") + (size % 2**32).to_bytes(4, "little")


async def join_plain(groups: AsyncIterator[Sequence[Piece]]) -> AsyncIterator[bytes]:
    async for pieces in groups:
        yield b"".join(piece.plain() for piece in pieces)


def _shift(length: int) -> int:
    """By which a CRC-32 is multiplied in GF(2) if so many bytes follow."""
    shift, power = _ONE, _X_TO_THE_EIGHTH
    while length:
        if length & 1:
            shift = _multiply(power, shift)
        power, length = _multiply(power, power), length >> 1
    return shift


def _multiply(one: int, other: int) -> int:
    """Modulo the polynomial of CRC-32; bit 31 is the coefficient of 1."""
    product = 0
    for bit in range(31, -1, -1):
        if one >> bit & 1:
            product ^= other
        other = other >> 1 ^ (_POLYNOMIAL if other & 1 else 0)
    return product


def _gzip(plain: bytes) -> bytes:
    return gzip.compress(plain, _GZIP_LEVEL, mtime=0)
