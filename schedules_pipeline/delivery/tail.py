"""The latest rows of the change feed in memory, and the signal that wakes waiting requests.

Used only in the event loop's thread.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from schedules_pipeline.publishing.ports.feed import FeedEntry, place

_ROWS_KEPT = 5_000
_WOKEN_AT_ONCE = 10
"""More at one turn of the event loop would delay other answers: each takes 0.1 to 0.2 ms."""


class Tail:
    """The rows after a position that advances as old rows are dropped. Older rows must be read from the store."""

    def __init__(self, rows_kept: int = _ROWS_KEPT) -> None:
        self.is_closed = False
        self._rows_kept = rows_kept
        self._begin: tuple[int, ...] = (0,)
        self._places: list[tuple[int, ...]] = []
        self._entries: list[FeedEntry] = []
        self._groups: list[asyncio.Future[None]] = []
        self._in_last_group = 0

    def restart(self, position: str) -> None:
        """Drop all rows and start after this position. Wakes all waiting requests."""
        self._begin, self._places, self._entries = place(position), [], []
        self._wake()

    def extend(self, entries: Sequence[FeedEntry]) -> None:
        """Add the rows that follow, and wake all waiting requests."""
        if not entries:
            return
        self._entries.extend(entries)
        self._places.extend(place(entry.position) for entry in entries)
        if len(self._entries) > 2 * self._rows_kept:
            self._drop(len(self._entries) - self._rows_kept)
        self._wake()

    def after(self, position: str, limit: int) -> list[FeedEntry] | None:
        """The rows after a position, in order; None if some of them may have been dropped."""
        at = place(position)
        if at < self._begin:
            return None
        first = bisect_right(self._places, at)
        return self._entries[first : first + limit]

    def next_change(self) -> asyncio.Future[None]:
        """Done soon after new rows, a restart or :meth:`close`. Several requests share the future: do not cancel it."""
        if not self._groups or self._in_last_group >= _WOKEN_AT_ONCE:
            self._groups.append(asyncio.get_running_loop().create_future())
            self._in_last_group = 0
            if self.is_closed:
                self._groups[-1].set_result(None)
        self._in_last_group += 1
        return self._groups[-1]

    def close(self) -> None:
        """End all waiting, because the process stops."""
        self.is_closed = True
        self._wake()

    def latest(self, limit: int) -> list[FeedEntry]:
        """The last rows, the newest first."""
        return self._entries[: -limit - 1 : -1]

    def _drop(self, count: int) -> None:
        self._begin = self._places[count - 1]
        del self._entries[:count]
        del self._places[:count]

    def _wake(self) -> None:
        """One group now, and another at each further turn of the event loop, between which it answers others."""
        groups, self._groups = self._groups, []
        if groups:
            _wake_in_turn(iter(groups))


def _wake_in_turn(groups: Iterator[asyncio.Future[None]]) -> None:
    for group in groups:
        if not group.done():
            group.set_result(None)
            group.get_loop().call_soon(_wake_in_turn, groups)
            return
