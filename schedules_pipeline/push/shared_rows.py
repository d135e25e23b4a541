"""Rows of the feed as many subscriptions read them: those that are equally far share one read."""

from collections import OrderedDict
from threading import Lock

from schedules_pipeline.publishing.ports.feed import ChangeFeed, FeedEntry, place

_REMEMBERED = 64


class SharedRows:
    """For many threads. Rows never change, so those that were read once after a position are a beginning of what
    stands after it for as long as the keyspace lives; whoever has them all reads on after the last.
    """

    def __init__(self, feed: ChangeFeed, limit: int = 100) -> None:
        self._feed = feed
        self._limit = limit
        self._lock = Lock()
        self._read: OrderedDict[tuple[str, str], list[FeedEntry]] = OrderedDict()

    def after(self, position: str, epoch: str) -> list[FeedEntry] | None:
        """The next rows, [] where there is none yet; None where some of them may be gone."""
        rows = self._rows(position, epoch)
        return None if self._is_gap(position) else rows

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

    def _is_gap(self, position: str) -> bool:
        """Asked after reading, since it is noted before rows go."""
        return place(position) < place(self._feed.complete_after())
