"""Samples the age of the oldest published version that Dagster has not recorded yet."""

from collections import deque
from threading import Event, Thread
from typing import Self

from benchmarks.landing import appended_at
from schedules_pipeline.connections import utc_now
from schedules_pipeline.publishing.ports.feed import ChangeFeed

_EVERY_SECONDS = 0.25
_AT_ONCE = 1_000
_REMEMBERED = 100_000


class RecordAge:
    """``oldest``: the highest age while the block runs, in seconds."""

    def __init__(self, feed: ChangeFeed) -> None:
        self.oldest = 0.0
        self._feed = feed
        self._ended = Event()
        self._thread = Thread(target=self._sample, name="record age", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        """One publisher at a time records, in the order of the feed, so its last rows are the unrecorded ones."""
        position, appended = self._feed.last_position(), deque[float](maxlen=_REMEMBERED)
        while not self._ended.wait(_EVERY_SECONDS):
            while entries := self._feed.read_after(position, _AT_ONCE):
                position = entries[-1].position
                appended.extend(appended_at(entry).timestamp() for entry in entries)
            unrecorded = min(self._feed.unrecorded(), len(appended))
            if unrecorded:
                self.oldest = max(self.oldest, utc_now().timestamp() - appended[-unrecorded])
