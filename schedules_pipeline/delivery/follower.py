"""Updates the mirror: reads all published schedules once, then follows the change feed.

Runs in its own thread, which blocks on the store, and passes on complete updates.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event

import structlog

from schedules_pipeline.delivery.mirror import MirroredSchedule, mirror_document
from schedules_pipeline.delivery.rounds import attempt
from schedules_pipeline.documents.cursors import FeedCursor
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import InvalidRecord, ServiceError
from schedules_pipeline.maintenance.continuity import NOTHING_SEEN, ContinuityObserver
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
class Snapshot:
    """Replaces all state. ``rows``: the feed's rows after ``rows_after``, up to the cursor's position. ``at``: when the
    store was read.
    """

    cursor: FeedCursor
    schedules: Sequence[MirroredSchedule]
    rows_after: str
    rows: Sequence[FeedEntry]
    at: datetime


@dataclass(frozen=True, slots=True)
class Advance:
    """Rows that followed, and the latest versions of the schedules that they name. Without rows, the store has
    confirmed the present state.
    """

    rows: Sequence[FeedEntry]
    schedules: Sequence[MirroredSchedule]
    at: datetime


Update = Snapshot | Advance


class Follower:
    """``apply``: takes each complete update. Requests see the state before or after it, never between."""

    def __init__(
        self,
        feed: ChangeFeed,
        schedules: ScheduleStore,
        observer: ContinuityObserver,
        apply: Callable[[Update], None],
        clock: Clock,
    ) -> None:
        self._feed = feed
        self._schedules = schedules
        self._observer = observer
        self._apply = apply
        self._clock = clock
        self._cursor: FeedCursor | None = None

    def run(self, stop: Event) -> None:
        """Follow until ``stop`` is set. While the store does not answer, no update is passed on."""
        is_failing = False
        while not stop.is_set():
            is_failing = attempt(self.follow, "following", was_failing=is_failing)
            if is_failing:
                stop.wait(_PAUSE_SECONDS)

    def follow(self, wait_seconds: float = _WAIT_SECONDS) -> None:
        """One round: read everything at the start, in another keyspace, or after missing trimmed rows; otherwise
        pass on the rows that followed.
        """
        epoch = self._epoch()
        if self._cursor is None or self._cursor.epoch != epoch:
            self._begin(epoch)
        else:
            self._advance(self._cursor, wait_seconds)

    def _epoch(self) -> str:
        """Raises :class:`ServiceError` if the keyspace was lost and no coldstart has finished in it; the
        delivery then keeps serving the old state.
        """
        epoch = self._observer.observe(self._cursor or NOTHING_SEEN)
        if epoch is not None:
            return epoch.id
        if self._cursor is not None and self._cursor.epoch:
            raise ServiceError("the keyspace was lost, and no coldstart has finished in it yet")
        return ""

    def _begin(self, epoch: str) -> None:
        """Reads the position first: a change during the reads is then found again as a row after it."""
        at = self._clock()
        cursor = FeedCursor(epoch, self._feed.last_position())
        schedules = self._latest(self._feed.heads())
        self._apply(Snapshot(cursor, schedules, *self._recent_rows(cursor, at), at))
        self._cursor = cursor
        removals = sum(held.is_removed for held in schedules)
        _log.info("everything read", schedules=len(schedules) - removals, removals=removals, epoch=epoch)

    def _advance(self, cursor: FeedCursor, wait_seconds: float) -> None:
        rows = self._feed.wait_after(cursor.position, _ROWS_AT_ONCE, wait_seconds)
        at = self._clock()
        if self._has_missed_rows(cursor.position):
            self._begin(cursor.epoch)
            return
        self._apply(Advance(rows, self._latest({row.change.key: row.change for row in rows}), at))
        if rows:
            self._cursor = FeedCursor(cursor.epoch, rows[-1].position)

    def _has_missed_rows(self, position: str) -> bool:
        """Whether rows after ``position`` were trimmed, as after days without the store. Call after reading rows."""
        return place(position) < place(self._feed.complete_after())

    def _recent_rows(self, cursor: FeedCursor, at: datetime) -> tuple[str, Sequence[FeedEntry]]:
        """The rows of the last hour, and the position before them."""
        begin = max(self._feed.position_before(at - _REMEMBERED), self._feed.complete_after(), key=place)
        if place(begin) >= place(cursor.position):
            return cursor.position, ()
        rows: list[FeedEntry] = []
        while more := self._feed.read_after(rows[-1].position if rows else begin, _ROWS_AT_ONCE):
            rows += more
        return begin, [row for row in rows if place(row.position) <= place(cursor.position)]

    def _latest(self, changes: Mapping[ScheduleKey, Change]) -> list[MirroredSchedule]:
        """The removals, and the published schedules except those that are gone or cannot be decoded."""
        removed = [
            MirroredSchedule(change.key, change.seq, "", change.published_at, None)
            for change in changes.values()
            if change.is_removal
        ]
        keys = [key for key, change in changes.items() if not change.is_removal]
        return removed + [
            held
            for first in range(0, len(keys), _DOCUMENTS_AT_ONCE)
            for held in _decodable(self._schedules.frames(keys[first : first + _DOCUMENTS_AT_ONCE]))
        ]


def _decodable(frames: Mapping[ScheduleKey, bytes]) -> Iterable[MirroredSchedule]:
    for key, frame in frames.items():
        try:
            yield mirror_document(key, frame)
        except InvalidRecord as error:
            _log.error("document passed over", schedule=str(key), error=str(error))
