"""Cursors of the change feed: opaque to partners, a place in the feed of one keyspace to the pipeline.

Positions and sequence numbers start again in a keyspace that was lost, so a cursor names the epoch of its keyspace.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

from schedules_pipeline.errors import InvalidIdentifier

MAXIMUM_LENGTH = 200
_POSITION = re.compile(r"[0-9]{1,20}(-[0-9]{1,20})?", re.ASCII)
_VERSION = "1"
_LARGEST_PART = 2**64 - 1
"""Redis stores both numbers of a position in 64 bits and rejects larger ones."""


@dataclass(frozen=True, slots=True)
class FeedCursor:
    """All rows of a keyspace's feed up to ``position``, included. ``epoch`` is "" until the keyspace has one."""

    epoch: str
    position: str


def render_cursor(cursor: FeedCursor) -> str:
    """URL-safe, at most :data:`MAXIMUM_LENGTH` characters."""
    return seal(f"{_VERSION}|{cursor.position}|{cursor.epoch}")


def parse_cursor(text: str) -> FeedCursor:
    """Raises :class:`InvalidIdentifier` if the text is not a result of :func:`render_cursor`."""
    try:
        version, position, epoch = unseal(text).split("|", 2)
    except ValueError as error:
        raise _not_a_cursor(text) from error
    cursor = FeedCursor(epoch, position)
    if version != _VERSION or not _is_position(position) or render_cursor(cursor) != text:
        raise _not_a_cursor(text)
    return cursor


def _not_a_cursor(text: str) -> InvalidIdentifier:
    return InvalidIdentifier(f"not a cursor of this service: {text[:60]!r}")


def _is_position(text: str) -> bool:
    return bool(_POSITION.fullmatch(text)) and all(int(part) <= _LARGEST_PART for part in text.split("-"))


def seal(text: str) -> str:
    """Base64url without padding: fits into an address, and discourages clients from parsing it."""
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def unseal(word: str) -> str:
    """The text of :func:`seal`. Raises ValueError if the word is not base64url of UTF-8."""
    return urlsafe_b64decode(word + "=" * (-len(word) % 4)).decode()
