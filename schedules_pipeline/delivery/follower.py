"""Updates the mirror: reads all published schedules once, then follows the change feed.

Runs in its own thread, which blocks on the store, and passes complete steps to an :class:`Audience`.
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
"""The part of the feed's past that is read at the start, so that the guide can list recent changes at once."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Past:
    """All rows of the feed after a position."""

    after: str
    entries: Sequence[FeedEntry]


class Audience(Protocol):
    """The owner of the mirror. Requests see the state before or after a call, never between."""

    def begin(
        self, extent: FeedCursor, everything: Sequence[MirroredSchedule], past: Past, at: datetime
    ) -> None:
        """Replace all state. ``past``: rows of the feed up to the cursor's position."""

    def advance(
        self, entries: Sequence[FeedEntry], changed: Sequence[MirroredSchedule], at: datetime
    ) -> None:
        """Add rows that followed, and the latest versions of the schedules that they name. An empty call means that
        the store has confirmed the present state.
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
        """Follow until ``stop`` is set. While the store does not answer, the audience keeps its state."""
        is_away = False
        while not stop.is_set():
            try:
                self.follow()
                if is_away:
                    _log.info("following goes on")
                is_away = False
            except Exception as error:  # noqa: BLE001 - if this thread ended, all partners would read old schedules
                if not is_away:
                    is_ours = not isinstance(error, PipelineError)
                    _log.warning("following interrupted", error=str(error), exc_info=is_ours)
                is_away = True
                stop.wait(_PAUSE_SECONDS)

    def follow(self, wait_seconds: float = _WAIT_SECONDS) -> None:
        """One round: read everything at the start, in another keyspace, or after missing trimmed rows; otherwise
        pass on the rows that followed.
        """
        epoch = self._epoch()
        if self._extent is None or self._extent.epoch != epoch:
            self._begin(epoch)
        else:
            self._advance(self._extent, wait_seconds)

    def _epoch(self) -> str:
        """Raises :class:`ServiceError` if the keyspace was lost and no coldstart has finished in it; the audience
        then keeps serving the old state.
        """
        epoch = self._coldstarts.epoch()
        if epoch is not None:
            return epoch.id
        if self._extent is not None and self._extent.epoch:
            raise ServiceError("the keyspace was lost, and no coldstart has finished in it yet")
        return ""

    def _begin(self, epoch: str) -> None:
        """Reads the position first: a change during the reads is then found again as a row after it."""
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
        """Whether rows after ``position`` were trimmed, as after days without the store. Call after reading rows."""
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
        """The published schedules of these keys, without those that are gone or cannot be decoded."""
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
