"""Committed schedules on Redis: a hash of the state, and the document; content is stored compressed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain, islice, starmap
from typing import Any, cast

from schedules_pipeline.documents.change_row import render_row
from schedules_pipeline.documents.stored_form import (
    compress,
    compress_all,
    decompress,
    decompress_remembered,
    is_frame,
)
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.publishing.ports.schedules import Commit, CommitResult, Outcome, ScheduleState
from schedules_pipeline.publishing.ports.versions import VERSIONS_LISTED
from schedules_pipeline.store.exchange import Command
from schedules_pipeline.store.keys import Keys, tag
from schedules_pipeline.store.link import RedisLink

_FIELDS = ("token", "seq", "etag", "mark", "seen", "accepted", "ancestors", "covered")


_COMPRESSED_TOGETHER = 30
"""Documents that another thread compresses; a smaller batch would wait for the thread longer than it gains."""


@dataclass(frozen=True, slots=True)
class StorageForm:
    """``is_compressed``: False while a process of release 0.2 works on the keyspace, because it reads plain content
    alone. ``versions_kept``: how many replaced versions of a schedule, for ``versions_kept_for``.
    """

    is_compressed: bool = True
    versions_kept: int = 50
    versions_kept_for: timedelta = timedelta(days=3)


class RedisScheduleStore:
    """Implements :class:`ScheduleStore`."""

    def __init__(self, link: RedisLink, keys: Keys, form: StorageForm) -> None:
        self._link = link
        self._keys = keys
        self._form = form
        self._commit = link.script("commit")
        self._invalidate, self._forget = link.script("invalidate_schedule"), link.script("forget_schedule")
        self._restore = link.script("restore_source")

    def count_source_change(self, keys: Sequence[ScheduleKey]) -> None:
        self._link.run([("HINCRBY", self._keys.state(key), "mark", 1) for key in keys])

    def read(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, ScheduleState]:
        replies = self._link.run([("HMGET", self._keys.state(key), *_FIELDS) for key in keys])
        return {key: _state(key, reply) for key, reply in zip(keys, replies, strict=True)}

    def commit(self, commits: Iterable[Commit]) -> list[CommitResult]:
        commands = starmap(self._commit_command, self._compressed(commits))
        return [_committed(reply) for reply in self._link.run(commands)]

    def confirm_announced(self, seqs: Mapping[ScheduleKey, int]) -> None:
        self._link.run(
            [("ZREMRANGEBYSCORE", self._keys.outbox(key), "-inf", seq) for key, seq in seqs.items()]
        )

    def documents(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, bytes]:
        return {key: decompress(stored) for key, stored in self._stored(keys)}

    def frames(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, bytes]:
        return {key: stored if is_frame(stored) else compress(stored) for key, stored in self._stored(keys)}

    def stored_keys(self) -> Iterator[list[ScheduleKey]]:
        for batch in self._link.scan(f"{self._keys.keyspace}:state:*"):
            yield [ScheduleKey.parse(tag(name)) for name in batch]

    def invalidate(self, seqs: Mapping[ScheduleKey, int], token: int) -> None:
        self._link.run(
            [self._invalidate.command([self._keys.state(key)], [token, seq]) for key, seq in seqs.items()]
        )

    def restore(self, sources: Mapping[ScheduleKey, tuple[bytes, bytes]], token: int) -> None:
        self._link.run(
            [
                self._restore.command([self._keys.state(key)], [token, self._form_of(accepted), covered])
                for key, (accepted, covered) in sources.items()
            ]
        )

    def forget(self, tokens: Mapping[ScheduleKey, int]) -> set[ScheduleKey]:
        keys = self._keys
        replies = self._link.run(
            [
                self._forget.command(
                    [
                        keys.state(key),
                        keys.document(key),
                        keys.outbox(key),
                        keys.history(key),
                        keys.versions(key),
                    ],
                    [token],
                )
                for key, token in tokens.items()
            ]
        )
        return {key for key, gone in zip(tokens, replies, strict=True) if gone}

    def _stored(self, keys: Sequence[ScheduleKey]) -> Iterator[tuple[ScheduleKey, bytes]]:
        found = self._link.get_many([self._keys.document(key) for key in keys])
        return ((key, stored) for key, stored in zip(keys, found, strict=True) if stored is not None)

    def _compressed(self, commits: Iterable[Commit]) -> Iterator[tuple[Commit, bytes]]:
        """Each commit with its document as it is stored. Another thread compresses one group, without Python's lock,
        while this one makes the next group and sends the one before.
        """
        coming = iter(commits)
        group = list(islice(coming, _COMPRESSED_TOGETHER))
        if len(group) < _COMPRESSED_TOGETHER or not self._form.is_compressed:
            yield from ((commit, self._form_of(commit.document)) for commit in chain(group, coming))
            return
        with ThreadPoolExecutor(1) as other:
            frames = other.submit(_compress_documents, group)
            while group:
                following = list(islice(coming, _COMPRESSED_TOGETHER))
                next_frames = other.submit(_compress_documents, following)
                yield from zip(group, frames.result(), strict=True)
                group, frames = following, next_frames

    def _commit_command(self, commit: Commit, document: bytes) -> Command:
        key, form = str(commit.key), self._form
        return self._commit.command(
            [
                self._keys.state(key),
                self._keys.document(key),
                self._keys.outbox(key),
                self._keys.history(key),
                self._keys.versions(key),
            ],
            [
                commit.token,
                commit.read_token,
                commit.seen_mark,
                self._form_of(commit.accepted),
                int(commit.accepted_is_new),
                " ".join(sorted(commit.ancestors)),
                commit.etag,
                commit.change.seq,
                document,
                render_row(commit.change),
                VERSIONS_LISTED,
                int(form.versions_kept_for.total_seconds()),
                commit.covered,
                form.versions_kept,
            ],
        )

    def _form_of(self, content: bytes) -> bytes:
        return compress(content) if content and self._form.is_compressed else content


def _compress_documents(commits: Sequence[Commit]) -> list[bytes]:
    return compress_all([commit.document for commit in commits])


def _state(key: ScheduleKey, reply: Sequence[bytes | None]) -> ScheduleState:
    token, seq, etag, mark, seen, accepted, ancestors, covered = reply
    return ScheduleState(
        key=key,
        committed_token=int(token or 0),
        seq=int(seq or 0),
        etag=(etag or b"").decode(),
        source_mark=int(mark or 0),
        seen_mark=int(seen or 0),
        accepted=None if accepted is None else decompress_remembered(accepted),
        ancestors=frozenset(cast("list[Pid]", (ancestors or b"").decode().split())),
        covered=covered,
    )


def _committed(reply: Sequence[Any]) -> CommitResult:
    outcome, seq, *rows = reply
    announcements = tuple((int(rows[i + 1]), rows[i]) for i in range(0, len(rows), 2))
    return CommitResult(Outcome(outcome.decode()), int(seq), announcements)
