"""The formats in which schedules are delivered as files: by name, how a published document becomes one.

Files are compressed by gzip and named as such: a collector that copies a bucket gets what the names say.
"""

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MEDIA_TYPE: Final = "application/gzip"
_LEVEL = 6


@dataclass(frozen=True, slots=True)
class FileFormat:
    """``suffix``: behind the date in a file's name, without ``.gz``. ``render``: from a published document, pure."""

    suffix: str
    render: Callable[[bytes], bytes]


def _as_it_is(document: bytes) -> bytes:
    return document


PUBLISHED_DOCUMENT: Final = FileFormat("json", _as_it_is)
"""The published document itself."""

FORMAT_NAMES: Final = ("json", "xmltv", "tva")
"""What can be asked for; the others than JSON depend on settings (``delivery/file_formats.py``)."""


def render_file(file_format: FileFormat, document: bytes) -> bytes:
    """The same document gives the same bytes: no time is written into them."""
    return gzip.compress(file_format.render(document), _LEVEL, mtime=0)
