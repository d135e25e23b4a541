"""The copies of catalogue items on Redis."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.publishing.ports.catalogue import (
    CollectionCounts,
    CopyUpdate,
    StoreResult,
    UpdateTicket,
)
from schedules_pipeline.store.keys import Keys, tag
from schedules_pipeline.store.link import Arguments, RedisLink, Script

TOKEN_KEPT_FOR = timedelta(days=1)
"""Longer than any worker takes from reading an item to storing it."""


class RedisCopyStore:
    """Implements :class:`CopyStore`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._keys = keys
        self._begin, self._store = link.script("begin_copy"), link.script("store_copy")
        self._acknowledge, self._insert = (
            link.script("acknowledge_copy"),
            link.script("insert_copy_if_absent"),
        )
        self._take_token, self._miss = link.script("take_token"), link.script("record_absence")
        self._collect, self._invalidate = link.script("collect_copy"), link.script("invalidate_tokens")
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
            pid: UpdateTicket(token, bool(needed), bool(pending), copy)
            for pid, (token, needed, pending, copy) in zip(pids, replies, strict=True)
        }

    def store(self, updates: Mapping[Pid, CopyUpdate]) -> dict[Pid, StoreResult]:
        replies = self._link.run(
            [
                self._store.command([self._keys.copy(pid), self._keys.version_token(pid)], [*update])
                for pid, update in updates.items()
            ]
        )
        return {
            pid: StoreResult(bool(changed), bool(pending), previous)
            for pid, (changed, pending, previous) in zip(updates, replies, strict=True)
        }

    def acknowledge(self, tokens: Mapping[Pid, int]) -> None:
        self._on_tokens(
            self._acknowledge, {pid: (token, self._kept_seconds) for pid, token in tokens.items()}
        )

    def read(self, pids: Sequence[Pid]) -> dict[Pid, bytes]:
        found = self._link.get_many([self._keys.copy(pid) for pid in pids])
        return {pid: copy for pid, copy in zip(pids, found, strict=True) if copy is not None}

    def take_tokens(self, pids: Sequence[Pid]) -> dict[Pid, int]:
        return self._on_tokens(self._take_token, dict.fromkeys(pids, (self._kept_seconds,)))

    def insert_if_absent(self, values: Mapping[Pid, tuple[int, bytes]]) -> dict[Pid, bytes | None]:
        return self._on_copies(
            self._insert, {pid: (*value, self._kept_seconds) for pid, value in values.items()}
        )

    def record_absence(self, pids: Sequence[Pid]) -> None:
        self._on_copies(self._miss, dict.fromkeys(pids, ()))

    def invalidate_tokens(self, pids: Sequence[Pid]) -> None:
        self._on_tokens(self._invalidate, dict.fromkeys(pids, ()))

    def stored_pids(self) -> Iterator[list[Pid]]:
        return self._scan("copy")

    def tracked_pids(self) -> Iterator[list[Pid]]:
        return self._scan("fence")

    def collect(self, pids: Sequence[Pid]) -> CollectionCounts:
        keys, arguments = self._keys, [self._kept_seconds]
        replies = self._link.run(
            [
                self._collect.command(
                    [keys.copy(pid), keys.version_token(pid), keys.dependants(pid)], arguments
                )
                for pid in pids
            ]
        )
        return counted(replies)

    def _on_tokens(self, script: Script, arguments: Mapping[Pid, Arguments]) -> dict[Pid, Any]:
        """Call a script on the version token of each pid. Returns the replies."""
        key = self._keys.version_token
        replies = self._link.run([script.command([key(pid)], given) for pid, given in arguments.items()])
        return dict(zip(arguments, replies, strict=True))

    def _on_copies(self, script: Script, arguments: Mapping[Pid, Arguments]) -> dict[Pid, Any]:
        """Call a script on the copy and the version token of each pid. Returns the replies."""
        keys = self._keys
        commands = [
            script.command([keys.copy(pid), keys.version_token(pid)], given)
            for pid, given in arguments.items()
        ]
        return dict(zip(arguments, self._link.run(commands), strict=True))

    def _scan(self, kind: str) -> Iterator[list[Pid]]:
        for batch in self._link.scan(f"{self._keys.keyspace}:{kind}:*"):
            yield [Pid(tag(key)) for key in batch]


def counted(replies: Iterable[tuple[int, int]]) -> CollectionCounts:
    """The sum of the replies of ``collect_copy.lua`` or ``delete_copy.lua``."""
    deleted = list(replies)
    return CollectionCounts(sum(copies for copies, _ in deleted), sum(absences for _, absences in deleted))
