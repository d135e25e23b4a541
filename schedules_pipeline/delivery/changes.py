"""Pages of the change feed as one partner sees it, and the digest that it begins from."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from itertools import islice
from typing import Any, NamedTuple

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
_DIGEST_BYTES_REMEMBERED = 50_000_000
_MOST_GONE_SERVICES = 100
_READ_AT_ONCE = 500
_RENDERED_REMEMBERED = 20_000

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


def read_old_rows(feed: ChangeFeed, position: str, partner: Partner, limit: int) -> list[FeedEntry]:
    """The rows after a position, from the store, until a page is full. Blocking. Raises :class:`Problem` if some may
    have been trimmed.

    The start of the complete part is read after the rows, because the store records it before it trims.
    """
    rows: list[FeedEntry] = []
    visible = 0
    while visible <= limit and len(rows) < SCANNED_AT_ONCE:
        more = feed.read_after(rows[-1].position if rows else position, _READ_AT_ONCE)
        rows += more
        visible += sum(partner.may_see(row.change.key.sid) for row in more)
        if len(more) < _READ_AT_ONCE:
            break
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


class RenderedRows:
    """Rows as JSON, each rendered once for all partners."""

    def __init__(self) -> None:
        self._rendered: dict[str, tuple[Change, bytes]] = {}

    def row(self, entry: FeedEntry) -> bytes:
        known = self._rendered.get(entry.position)
        # A position comes again in another keyspace.
        if known is None or known[0] is not entry.change:
            if len(self._rendered) >= _RENDERED_REMEMBERED:
                self._rendered.clear()
            known = entry.change, render_json(change_fields(entry.change))
            self._rendered[entry.position] = known
        return known[1]

    def page(self, page: Page) -> bytes:
        cursor, more = render_json(render_cursor(page.after)), render_json(page.has_more)
        return b'{"changes":[%b],"cursor":%b,"more":%b}' % (
            b",".join(map(self.row, page.entries)),
            cursor,
            more,
        )


@dataclass(frozen=True, slots=True)
class Scope:
    """The requested part of a digest; ``first`` and ``last`` are included."""

    sids: frozenset[Sid] | None
    first: date
    last: date


class Digest(NamedTuple):
    validator: str
    body: bytes
    rows: int


class Digests:
    """Digests by visible services and scope, remembered until the mirror changes; and the rendered entries of every
    service, remembered until one of its schedules changes.
    """

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._generation = -1
        self._digests: dict[tuple[tuple[str, ...], Scope], Digest] = {}
        self._bytes = 0
        self._entries: dict[Sid, tuple[Mapping[date, MirroredSchedule], list[tuple[date, bytes]]]] = {}

    def of(self, partner: Partner, scope: Scope) -> Digest:
        """All services and days that the partner may see, removals included, and the cursor to follow from."""
        if self._generation != self._mirror.generation:
            self._forget()
        asked = partner.services, scope
        if asked not in self._digests:
            digest = self._make(partner, scope)
            is_full = self._bytes + len(digest.body) > _DIGEST_BYTES_REMEMBERED
            if is_full or len(self._digests) >= _DIGESTS_REMEMBERED:
                self._forget()
            self._digests[asked] = digest
            self._bytes += len(digest.body)
        return self._digests[asked]

    def _forget(self) -> None:
        self._generation, self._digests, self._bytes = self._mirror.generation, {}, 0

    def _make(self, partner: Partner, scope: Scope) -> Digest:
        services, rows = [], 0
        for sid in sorted(sid for sid in self._mirror.sids() if partner.may_see(sid)):
            if scope.sids is None or sid in scope.sids:
                entries = [entry for day, entry in self._entries_of(sid) if scope.first <= day <= scope.last]
                services.append(b'"%b":[%b]' % (sid.encode(), b",".join(entries)))
                rows += len(entries)
        cursor = render_json(render_cursor(self._mirror.cursor))
        body = b'{"cursor":%b,"services":{%b}}' % (cursor, b",".join(services))
        return Digest(blake2b(body, digest_size=16).hexdigest(), body, rows)

    def _entries_of(self, sid: Sid) -> list[tuple[date, bytes]]:
        """In order of the days."""
        held_by_day = self._mirror.of_service(sid)
        known = self._entries.get(sid)
        if known is None or known[0] is not held_by_day:
            if len(self._entries) > _MOST_GONE_SERVICES + len(self._mirror.sids()):
                self._entries.clear()
            entries = [(day, render_json(_digest_entry(held))) for day, held in sorted(held_by_day.items())]
            known = self._entries[sid] = held_by_day, entries
        return known[1]


def _digest_entry(held: MirroredSchedule) -> dict[str, Any]:
    return {
        "date": held.key.date,
        "seq": held.seq,
        "etag": held.etag,
        "published_at": held.published_at,
        "removed": held.is_removed,
    }
