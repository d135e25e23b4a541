"""Rows of the feed for many subscriptions. Subscriptions at the same position share one read."""

from collections import OrderedDict
from threading import Lock

from schedules_pipeline.publishing.ports.feed import ChangeFeed, FeedEntry, place

_REMEMBERED = 64


class SharedRows:
    """For use by many threads. Rows never change within a keyspace, so remembered rows stay the first ones after their
    position; a reader that has used them reads on after the last.
    """

    def __init__(self, feed: ChangeFeed, limit: int = 100) -> None:
        self._feed = feed
        self._limit = limit
        self._lock = Lock()
        self._read: OrderedDict[tuple[str, str], list[FeedEntry]] = OrderedDict()

    def after(self, position: str, epoch: str) -> list[FeedEntry] | None:
        """The next rows, [] at the end of the feed; None if rows after the position were trimmed."""
        rows = self._rows(position, epoch)
        # After the read, since the feed records a trim before it removes rows.
        is_trimmed = place(position) < place(self._feed.complete_after())
        return None if is_trimmed else rows

    def _rows(self, position: str, epoch: str) -> list[FeedEntry]:
        with self._lock:
            known = self._read.get((epoch, position))
            if known is not None:
                self._read.move_to_end((epoch, position))
                return known
            rows = self._feed.read_after(position, self._limit)
            if rows:
                self._read[epoch, position] = rows
            if len(self._read) > _REMEMBERED:
                self._read.popitem(last=False)
            return rows
