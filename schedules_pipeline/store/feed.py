"""The change feed on Redis: a stream, and a hash of the latest row of each schedule."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from redis.exceptions import ResponseError

from schedules_pipeline.documents.change_row import parse_row, parse_row_if_sound
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports.feed import MOST_ROWS, FeedEntry
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import Arguments, RedisLink

_GROUP = "dagster"
_TAKEN_OVER_AFTER_MILLISECONDS = 60_000
_MOST_RETURNED = 1_000
_LAST_IN_A_MILLISECOND = 2**64 - 1


class RedisChangeFeed:
    """Implements :class:`ChangeFeed`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._changes, self._heads = keys.feed("changes"), keys.feed("heads")
        self._trimmed = keys.feed("trimmed")
        self._append, self._forget_heads = link.script("append_feed"), link.script("forget_heads")

    def append(self, rows: Sequence[tuple[ScheduleKey, int, bytes]]) -> None:
        if rows:
            triples: list[Arguments] = [(str(key), seq, row) for key, seq, row in rows]
            names = [self._changes, self._heads, self._trimmed]
            self._link.call(*self._append.command(names, [MOST_ROWS, *chain(*triples)]))

    def count_schedules(self) -> int:
        return int(self._link.call("HLEN", self._heads))

    def heads(self) -> dict[ScheduleKey, Change]:
        pages = self._link.hash_pages(self._heads)
        return _sound((ScheduleKey.parse(key.decode()), row) for page in pages for key, row in page.items())

    def heads_of(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, Change]:
        if not keys:
            return {}
        rows = self._link.call("HMGET", self._heads, *map(str, keys))
        return _sound((key, row) for key, row in zip(keys, rows, strict=True) if row is not None)

    def forget_removals(self, seqs: Mapping[ScheduleKey, int]) -> None:
        if seqs:
            arguments = [part for key, seq in seqs.items() for part in (str(key), seq)]
            self._link.call(*self._forget_heads.command([self._heads], arguments))

    def trim(self, before: datetime) -> int:
        """Stores the trimmed position first, so that after a crash it is at worst too late."""
        first_kept = f"{max(0, int(before.timestamp() * 1000))}-0"
        last_gone = self._link.call("XREVRANGE", self._changes, f"({first_kept}", "-", "COUNT", 1)
        if not last_gone:
            return 0
        self._link.call("SET", self._trimmed, last_gone[0][0])
        return int(self._link.call("XTRIM", self._changes, "MINID", first_kept))

    def read_after(self, position: str, limit: int) -> list[FeedEntry]:
        start = "-" if position == "0" else f"({position}"
        return _entries(self._link.call("XRANGE", self._changes, start, "+", "COUNT", limit))

    def wait_after(self, position: str, limit: int, seconds: float) -> list[FeedEntry]:
        """Redis takes a wait of 0 for an endless one."""
        milliseconds = max(1, int(seconds * 1000))
        found = self._link.call(
            "XREAD", "COUNT", limit, "BLOCK", milliseconds, "STREAMS", self._changes, position
        )
        return _entries(found[0][1]) if found else []

    def last_position(self) -> str:
        try:
            found = self._link.call("XINFO STREAM", self._changes)
        except ResponseError as error:
            if not str(error).startswith("no such key"):
                raise
            return "0"
        position: bytes = found["last-generated-id"]
        return position.decode()

    def complete_after(self) -> str:
        trimmed: bytes | None = self._link.call("GET", self._trimmed)
        return (trimmed or b"0").decode()

    def position_before(self, at: datetime) -> str:
        """The last possible id of the millisecond before; stream ids begin with the server's time."""
        return f"{max(int(at.timestamp() * 1000) - 1, 0)}-{_LAST_IN_A_MILLISECOND}"

    def take_unrecorded(self, consumer: str, limit: int) -> list[FeedEntry]:
        self._ensure_group()
        claimed = self._link.call(
            "XAUTOCLAIM", self._changes, _GROUP, consumer, _TAKEN_OVER_AFTER_MILLISECONDS, "0", "COUNT", limit
        )
        left_behind = _entries(claimed[1])
        if left_behind:
            return left_behind
        fresh = self._link.call(
            "XREADGROUP", "GROUP", _GROUP, consumer, "COUNT", limit, "STREAMS", self._changes, ">"
        )
        return _entries(fresh[0][1]) if fresh else []

    def return_unrecorded(self, consumer: str) -> None:
        """As if the rows had been idle for long enough to be taken over."""
        self._ensure_group()
        of_consumer = ("XREADGROUP", "GROUP", _GROUP, consumer, "COUNT", _MOST_RETURNED)
        taken = self._link.call(*of_consumer, "STREAMS", self._changes, "0")
        if positions := [position for position, _ in taken[0][1]] if taken else []:
            idle = ("IDLE", _TAKEN_OVER_AFTER_MILLISECONDS)
            self._link.call("XCLAIM", self._changes, _GROUP, consumer, 0, *positions, *idle)

    def confirm_recorded(self, positions: Sequence[str]) -> None:
        if positions:
            self._link.call("XACK", self._changes, _GROUP, *positions)

    def unrecorded(self) -> int:
        group = self._group()
        return int(group["pending"]) + int(group["lag"] or 0)

    def unrecorded_since(self) -> datetime | None:
        """Rows are taken in their order, so one that was taken is older than each that was not."""
        group = self._group()
        if group["pending"]:
            first: bytes | None = self._link.call("XPENDING", self._changes, _GROUP)["min"]
        else:
            after = f"({group['last-delivered-id'].decode()}"
            rows = self._link.call("XRANGE", self._changes, after, "+", "COUNT", 1)
            first = rows[0][0] if rows else None
        return None if first is None else datetime.fromtimestamp(int(first.partition(b"-")[0]) / 1000, UTC)

    def _group(self) -> dict[str, Any]:
        self._ensure_group()
        groups = self._link.call("XINFO GROUPS", self._changes)
        return next(group for group in groups if group["name"] == _GROUP.encode())

    def _ensure_group(self) -> None:
        try:
            self._link.call("XGROUP CREATE", self._changes, _GROUP, "0", "MKSTREAM")
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise


def _entries(rows: Sequence[Any]) -> list[FeedEntry]:
    return [FeedEntry(position.decode(), parse_row(fields[b"row"])) for position, fields in rows if fields]


def _sound(rows: Iterable[tuple[ScheduleKey, bytes]]) -> dict[ScheduleKey, Change]:
    """Without heads that cannot be decoded: the reconciliation announces their schedules again."""
    found = ((key, parse_row_if_sound(row)) for key, row in rows)
    return {key: change for key, change in found if change is not None}
