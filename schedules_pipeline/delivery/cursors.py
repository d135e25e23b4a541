"""Cursors of the change feed: for partners a word without meaning, for us a place in one life of the keyspace.

Sequence numbers and places begin again in a keyspace that was lost; so a cursor names the life that it is of.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

from schedules_pipeline.delivery.mirror import Extent
from schedules_pipeline.errors import InvalidIdentifier
from schedules_pipeline.publishing.ports.feed import place

MAXIMUM_LENGTH = 200
_POSITION = re.compile(r"[0-9]{1,20}(-[0-9]{1,20})?", re.ASCII)
_VERSION = "1"
_LARGEST_PART = 2**64 - 1


def render_cursor(extent: Extent) -> str:
    """URL-safe, at most :data:`MAXIMUM_LENGTH` characters."""
    text = f"{_VERSION}|{extent.position}|{extent.epoch}"
    return seal(text)


def parse_cursor(text: str) -> Extent:
    """Raise :class:`InvalidIdentifier` for anything that :func:`render_cursor` never gave."""
    try:
        version, position, epoch = unseal(text).split("|", 2)
    except ValueError as error:
        raise InvalidIdentifier(f"not a cursor of ours: {text[:60]!r}") from error
    extent = Extent(epoch, position)
    if version != _VERSION or not _is_position(position) or render_cursor(extent) != text:
        raise InvalidIdentifier(f"not a cursor of ours: {text[:60]!r}")
    return extent


def _is_position(text: str) -> bool:
    """Whether a store can be asked for what follows it: its numbers have 64 bits."""
    return _POSITION.fullmatch(text) is not None and max(place(text)) <= _LARGEST_PART


def seal(text: str) -> str:
    """A word that can stand in an address, and says nothing to whoever reads it."""
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def unseal(word: str) -> str:
    """What was sealed; ValueError for a word that is none."""
    return urlsafe_b64decode(word + "=" * (-len(word) % 4)).decode()
