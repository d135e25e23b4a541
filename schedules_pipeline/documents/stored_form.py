"""How documents and accepted sources are stored: each as one Zstandard frame, and replaced versions as deltas.

Plain content, and versions that release 0.2 compressed by zlib, are still read. Content is identified by its etag and
never by its stored bytes: another version of the library may compress differently.
"""

import zlib
from collections.abc import Sequence
from functools import lru_cache
from threading import local
from typing import Any

import zstandard

_FRAME = b"\x28\xb5\x2f\xfd"
_ZLIB = b"x"
"""Zlib begins with this byte, a plain document with a brace."""

REMEMBERED = 1_000
"""Accepted sources that a process remembers: some 30 MB."""

_LEVEL = 1
"""A higher level makes a batch slower than it was with plain documents."""

_DELTA_LEVEL = 9
_LARGEST_BYTES = 1 << 28
"""A damaged frame must not cost the memory of a larger size that its header states."""


class _Contexts(local):
    """One of each for a thread: they are not thread-safe, and making one takes as long as using it once."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=_LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_contexts = _Contexts()


def compress(plain: bytes) -> bytes:
    """One frame that states its size and needs no dictionary, so it can be served as ``Content-Encoding: zstd``."""
    return exact(_contexts.compressor.compress(plain))


def compress_all(plain: Sequence[bytes]) -> list[bytes]:
    """:func:`compress` of each, without Python's lock until all are done. Empty content stays empty."""
    filled: list[Any] = [content for content in plain if content]
    if not filled:
        return list(plain)
    frames = iter(_contexts.compressor.multi_compress_to_buffer(filled, threads=1))
    return [next(frames).tobytes() if content else content for content in plain]


def exact(frame: bytes) -> bytes:
    """A copy in memory of its own size: the library returns frames in the memory that the plain content would need."""
    return bytes(memoryview(frame))


def is_frame(stored: bytes) -> bool:
    return stored.startswith(_FRAME)


def decompress(stored: bytes) -> bytes:
    """The plain content of a stored form. A damaged one is returned as it is, and its parser rejects it."""
    try:
        if stored.startswith(_ZLIB):
            return decompress(zlib.decompress(stored))
        return _contexts.decompressor.decompress(stored) if _is_sound(stored) else stored
    except (zlib.error, zstandard.ZstdError):
        return stored


decompress_remembered = lru_cache(maxsize=REMEMBERED)(decompress)
""":func:`decompress` of accepted sources, most of which a standing publisher has read before. The same frame gives the
same object, whose hash Python keeps for those that remember more by it.
"""


def render_delta(plain: bytes, base: bytes) -> bytes:
    """A frame that only :func:`apply_delta` with the same ``base`` can read."""
    compressor = zstandard.ZstdCompressor(_DELTA_LEVEL, _dictionary(base), write_checksum=True)
    return compressor.compress(plain)


def apply_delta(delta: bytes, base: bytes) -> bytes | None:
    """The content; None if it was made against another base, which the checksum shows."""
    try:
        decompressor = zstandard.ZstdDecompressor(_dictionary(base))
        return decompressor.decompress(delta) if _is_sound(delta) else None
    except zstandard.ZstdError:
        return None


def _dictionary(base: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(base, zstandard.DICT_TYPE_RAWCONTENT)


def _is_sound(stored: bytes) -> bool:
    """Whether it is a frame that states a possible size."""
    return is_frame(stored) and 0 <= zstandard.frame_content_size(stored) <= _LARGEST_BYTES
