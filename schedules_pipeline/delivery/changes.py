"""Pages of the change feed as one partner sees it, and the digest that it begins from."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from itertools import islice
from typing import Any

import orjson

from schedules_pipeline.delivery.mirror import Mirror, MirroredSchedule
from schedules_pipeline.delivery.problems import CURSOR_TOO_OLD, Problem
from schedules_pipeline.documents.addresses import DIGEST, version_address
from schedules_pipeline.documents.cursors import FeedCursor, parse_cursor, render_cursor
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.publishing.ports.feed import ChangeFeed, FeedEntry, place

_DIGESTS_REMEMBERED = 50

SCANNED_AT_ONCE = 5_000
"""The most rows that one request reads. A partner that may see few services gets a shorter page and continues."""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in order. The next page follows ``after``; ``has_more``: more rows existed when the page was made."""

    entries: Sequence[FeedEntry]
    after: FeedCursor
    has_more: bool


def position_of(cursor: str, end: FeedCursor) -> str:
    """The position of a partner's cursor in the mirrored keyspace.

    Raises :class:`Problem` if the cursor is of another keyspace, :class:`InvalidIdentifier` if it is not a cursor.
    """
    found = parse_cursor(cursor)
    if found.epoch != end.epoch:
        raise _too_old("The keyspace of this cursor was lost.")
    return found.position


def read_old_rows(feed: ChangeFeed, position: str) -> list[FeedEntry]:
    """The rows after a position, from the store. Blocking. Raises :class:`Problem` if some may have been trimmed.

    The start of the complete part is read after the rows, because the store records it before it trims.
    """
    rows = feed.read_after(position, SCANNED_AT_ONCE)
    if place(position) < place(feed.complete_after()):
        raise _too_old("Some changes after this cursor have been deleted.")
    return rows


def page_of(rows: Sequence[FeedEntry], position: str, end: FeedCursor, partner: Partner, limit: int) -> Page:
    """One partner's page of the rows after its position; ``rows`` has at most :data:`SCANNED_AT_ONCE`.

    Leaves out rows that the mirror has not reached, so that a partner can fetch every version it hears of.
    """
    mirrored = rows[: bisect_right(rows, place(end.position), key=lambda row: place(row.position))]
    visible = (row for row in mirrored if partner.may_see(row.change.key.sid))
    wanted = list(islice(visible, limit + 1))
    if len(wanted) > limit:
        return Page(wanted[:limit], FeedCursor(end.epoch, wanted[limit - 1].position), has_more=True)
    if len(rows) >= SCANNED_AT_ONCE and mirrored:
        return Page(wanted, FeedCursor(end.epoch, mirrored[-1].position), has_more=True)
    return Page(wanted, FeedCursor(end.epoch, max(position, end.position, key=place)), has_more=False)


def _too_old(reason: str) -> Problem:
    return Problem(
        CURSOR_TOO_OLD,
        f"{reason} Fetch /v1/digest, then every schedule whose version differs, and continue from its cursor.",
        {"digest": DIGEST},
    )


def render_json(value: object) -> bytes:
    """Compact, instants in UTC to the microsecond."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


def change_fields(change: Change) -> dict[str, Any]:
    """The fields of a change in an answer."""
    return {
        "sid": change.key.sid,
        "date": change.key.date,
        "seq": change.seq,
        "etag": change.etag,
        "published_at": change.published_at,
        "removed": change.is_removal,
        "broadcasts": change.broadcasts,
        "href": version_address(change),
    }


def page_fields(page: Page) -> dict[str, Any]:
    return {
        "changes": [change_fields(entry.change) for entry in page.entries],
        "cursor": render_cursor(page.after),
        "more": page.has_more,
    }


@dataclass(frozen=True, slots=True)
class Scope:
    """The requested part of a digest; ``first`` and ``last`` are included."""

    sids: frozenset[Sid] | None
    first: date
    last: date

    def takes(self, held: MirroredSchedule) -> bool:
        return self.first <= held.key.date <= self.last and (self.sids is None or held.key.sid in self.sids)


class Digests:
    """Rendered digests by visible services and scope, remembered until the mirror changes."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._generation = -1
        self._rendered: dict[tuple[tuple[str, ...], Scope], tuple[str, bytes]] = {}

    def of(self, partner: Partner, scope: Scope) -> tuple[str, bytes]:
        """The digest's validator and its bytes."""
        if self._generation != self._mirror.generation or len(self._rendered) >= _DIGESTS_REMEMBERED:
            self._generation, self._rendered = self._mirror.generation, {}
        asked = partner.services, scope
        if asked not in self._rendered:
            body = render_json(digest_fields(self._mirror, partner, scope))
            self._rendered[asked] = blake2b(body, digest_size=16).hexdigest(), body
        return self._rendered[asked]


def digest_fields(mirror: Mirror, partner: Partner, scope: Scope) -> dict[str, Any]:
    """All services and days that the partner may see, removals included, and the cursor to follow from."""
    return {
        "cursor": render_cursor(mirror.cursor),
        "services": {
            str(sid): [
                _digest_entry(held) for _, held in sorted(mirror.of_service(sid).items()) if scope.takes(held)
            ]
            for sid in _visible(mirror, partner)
            if scope.sids is None or sid in scope.sids
        },
    }


def _visible(mirror: Mirror, partner: Partner) -> Iterable[Sid]:
    sids = {held.key.sid for held in mirror.everything()}
    return sorted(sid for sid in sids if partner.may_see(sid))


def _digest_entry(held: MirroredSchedule) -> dict[str, Any]:
    return {
        "date": held.key.date,
        "seq": held.seq,
        "etag": held.etag,
        "published_at": held.published_at,
        "removed": held.is_removed,
    }
