"""The copies of catalogue items on Redis."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.publishing.ports.catalogue import CollectionCounts, StoreResult, UpdateTicket
from schedules_pipeline.store.keys import Keys, tag
from schedules_pipeline.store.link import RedisLink

TOKEN_KEPT_FOR = timedelta(days=1)
"""Longer than any worker takes from reading an item to storing it."""


class RedisCopyStore:
    """Implements :class:`CopyStore`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._keys = keys
        self._begin, self._store = link.script("begin_copy"), link.script("store_copy")
        self._settle, self._plant = link.script("acknowledge_copy"), link.script("insert_copy_if_absent")
        self._take_token, self._miss = link.script("take_token"), link.script("record_absence")
        self._collect = link.script("collect_copy")
        self._outdate = link.script("invalidate_tokens")
        self._kept_seconds = int(TOKEN_KEPT_FOR.total_seconds())

    def begin(self, pids: Sequence[Pid]) -> dict[Pid, UpdateTicket]:
        keys = self._keys
        replies = self._link.run(
            [
                self._begin.command(
                    [keys.copy(pid), keys.version_token(pid), keys.dependants(pid)], [self._kept_seconds]
                )
                for pid in pids
            ]
        )
        return {
            pid: UpdateTicket(token, bool(needed), bool(owed))
            for pid, (token, needed, owed) in zip(pids, replies, strict=True)
        }

    def store(self, values: Mapping[Pid, tuple[int, bytes]]) -> dict[Pid, StoreResult]:
        replies = self._link.run(
            [
                self._store.command([self._keys.copy(pid), self._keys.version_token(pid)], [token, value])
                for pid, (token, value) in values.items()
            ]
        )
        return {
            pid: StoreResult(bool(changed), bool(owed), previous)
            for pid, (changed, owed, previous) in zip(values, replies, strict=True)
        }

    def acknowledge(self, tokens: Mapping[Pid, int]) -> None:
        self._link.run(
            [
                self._settle.command([self._keys.version_token(pid)], [token, self._kept_seconds])
                for pid, token in tokens.items()
            ]
        )

    def read(self, pids: Sequence[Pid]) -> dict[Pid, bytes]:
        found = self._link.get_many([self._keys.copy(pid) for pid in pids])
        return {pid: copy for pid, copy in zip(pids, found, strict=True) if copy is not None}

    def take_tokens(self, pids: Sequence[Pid]) -> dict[Pid, int]:
        replies = self._link.run(
            [self._take_token.command([self._keys.version_token(pid)], [self._kept_seconds]) for pid in pids]
        )
        return dict(zip(pids, replies, strict=True))

    def insert_if_absent(self, values: Mapping[Pid, tuple[int, bytes]]) -> dict[Pid, bytes | None]:
        replies = self._link.run(
            [
                self._plant.command(
                    [self._keys.copy(pid), self._keys.version_token(pid)], [token, value, self._kept_seconds]
                )
                for pid, (token, value) in values.items()
            ]
        )
        return dict(zip(values, replies, strict=True))

    def record_absence(self, pids: Sequence[Pid]) -> None:
        self._link.run(
            [self._miss.command([self._keys.copy(pid), self._keys.version_token(pid)], []) for pid in pids]
        )

    def invalidate_tokens(self, pids: Sequence[Pid]) -> None:
        self._link.run([self._outdate.command([self._keys.version_token(pid)], []) for pid in pids])

    def stored_pids(self) -> Iterator[list[Pid]]:
        for batch in self._link.scan(f"{self._keys.keyspace}:copy:*"):
            yield [Pid(tag(key)) for key in batch]

    def tracked_pids(self) -> Iterator[list[Pid]]:
        for batch in self._link.scan(f"{self._keys.keyspace}:fence:*"):
            yield [Pid(tag(key)) for key in batch]

    def collect(self, pids: Sequence[Pid]) -> CollectionCounts:
        keys = self._keys
        replies = self._link.run(
            [
                self._collect.command(
                    [keys.copy(pid), keys.version_token(pid), keys.dependants(pid)], [self._kept_seconds]
                )
                for pid in pids
            ]
        )
        return CollectionCounts(sum(copies for copies, _ in replies), sum(notes for _, notes in replies))
