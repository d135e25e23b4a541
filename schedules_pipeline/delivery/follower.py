"""Keeps the mirror up with what is published: reads everything once, then follows the change feed.

Runs in a thread of its own and blocks on the store; what it finds it hands over, whole, to an :class:`Audience`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event
from typing import Protocol

import structlog

from schedules_pipeline.delivery.mirror import MirroredSchedule
from schedules_pipeline.delivery.packing import pack
from schedules_pipeline.documents.cursors import FeedCursor
from schedules_pipeline.documents.partner_document import split_document
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import InvalidRecord, PipelineError, ServiceError
from schedules_pipeline.maintenance.ports.coldstart import ColdstartStore
from schedules_pipeline.publishing.ports.feed import ChangeFeed, FeedEntry, place
from schedules_pipeline.publishing.ports.schedules import ScheduleStore

_ROWS_AT_ONCE = 500
_DOCUMENTS_AT_ONCE = 200
_WAIT_SECONDS = 1.0
_PAUSE_SECONDS = 1.0
_REMEMBERED = timedelta(hours=1)
"""How much of the feed's past is known from the start, so that what changed lately can be shown at once."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Past:
    """Every row of the feed after a position, up to the moment."""

    after: str
    entries: Sequence[FeedEntry]


class Audience(Protocol):
    """Who holds the mirror. Each call is one step for everybody who asks it."""

    def begin(
        self, extent: FeedCursor, everything: Sequence[MirroredSchedule], past: Past, at: datetime
    ) -> None:
        """Begin with what is all there is. ``past``: rows of the feed up to the extent's position."""

    def advance(
        self, entries: Sequence[FeedEntry], changed: Sequence[MirroredSchedule], at: datetime
    ) -> None:
        """Take in rows that followed, and what is published of the schedules that they name. Without rows:
        the store has confirmed that there are none.
        """


class Follower:
    def __init__(
        self,
        feed: ChangeFeed,
        schedules: ScheduleStore,
        coldstarts: ColdstartStore,
        audience: Audience,
        clock: Clock,
    ) -> None:
        self._feed = feed
        self._schedules = schedules
        self._coldstarts = coldstarts
        self._audience = audience
        self._clock = clock
        self._extent: FeedCursor | None = None

    def run(self, stop: Event) -> None:
        """Follow until told to stop. While the store does not answer, what was found last stays."""
        is_away = False
        while not stop.is_set():
            try:
                self.follow()
                if is_away:
                    _log.info("following goes on")
                is_away = False
            except Exception as error:  # noqa: BLE001 - a thread that ends would leave everybody with what is old
                if not is_away:
                    is_ours = not isinstance(error, PipelineError)
                    _log.warning("following interrupted", error=str(error), exc_info=is_ours)
                is_away = True
                stop.wait(_PAUSE_SECONDS)

    def follow(self, wait_seconds: float = _WAIT_SECONDS) -> None:
        """One round: begin where nothing is known yet, the keyspace is another one, or rows are gone that were not
        read; else hand on what came.
        """
        epoch = self._epoch()
        if self._extent is None or self._extent.epoch != epoch:
            self._begin(epoch)
        else:
            self._advance(self._extent, wait_seconds)

    def _epoch(self) -> str:
        """Raises :class:`ServiceError` for a keyspace that was lost and is not filled again: partners keep what
        they were served from before.
        """
        epoch = self._coldstarts.epoch()
        if epoch is not None:
            return epoch.id
        if self._extent is not None and self._extent.epoch:
            raise ServiceError("our keyspace was lost, and no coldstart has finished in it yet")
        return ""

    def _begin(self, epoch: str) -> None:
        """The position is read first, so that what changes meanwhile is found again as a row after it."""
        at = self._clock()
        extent = FeedCursor(epoch, self._feed.last_position())
        heads = self._feed.heads()
        removed = [_removal(change) for change in heads.values() if change.is_removal]
        published = self._read([key for key, change in heads.items() if not change.is_removal])
        self._audience.begin(extent, removed + published, self._past(extent, at), at)
        self._extent = extent
        _log.info("everything read", schedules=len(published), removals=len(removed), epoch=epoch)

    def _advance(self, extent: FeedCursor, wait_seconds: float) -> None:
        entries = self._feed.wait_after(extent.position, _ROWS_AT_ONCE, wait_seconds)
        at = self._clock()
        if self._has_missed_rows(extent.position):
            self._begin(extent.epoch)
            return
        latest = {entry.change.key: entry.change for entry in entries}
        removed = [_removal(change) for change in latest.values() if change.is_removal]
        published = self._read([key for key, change in latest.items() if not change.is_removal])
        self._audience.advance(entries, removed + published, at)
        if entries:
            self._extent = FeedCursor(extent.epoch, entries[-1].position)

    def _has_missed_rows(self, position: str) -> bool:
        """Who was away for days may find that rows were trimmed meanwhile. To be asked after the rows are read."""
        return place(position) < place(self._feed.complete_after())

    def _past(self, extent: FeedCursor, at: datetime) -> Past:
        begin = max(self._feed.position_before(at - _REMEMBERED), self._feed.complete_after(), key=place)
        if place(begin) >= place(extent.position):
            return Past(extent.position, ())
        rows: list[FeedEntry] = []
        while more := self._feed.read_after(rows[-1].position if rows else begin, _ROWS_AT_ONCE):
            rows += more
        return Past(begin, [row for row in rows if place(row.position) <= place(extent.position)])

    def _read(self, keys: Sequence[ScheduleKey]) -> list[MirroredSchedule]:
        """What is published of these. Of what cannot be read, or is gone already, nothing is said."""
        return [
            held
            for first in range(0, len(keys), _DOCUMENTS_AT_ONCE)
            for held in _packed(self._schedules.documents(keys[first : first + _DOCUMENTS_AT_ONCE]).items())
        ]


def _packed(documents: Iterable[tuple[ScheduleKey, bytes]]) -> Iterable[MirroredSchedule]:
    for key, document in documents:
        try:
            publication, _ = split_document(document)
        except InvalidRecord as error:
            _log.error("document passed over", schedule=str(key), error=str(error))
            continue
        yield MirroredSchedule(
            key, publication.seq, publication.etag, publication.published_at, pack(document)
        )


def _removal(change: Change) -> MirroredSchedule:
    return MirroredSchedule(change.key, change.seq, "", change.published_at, None)
