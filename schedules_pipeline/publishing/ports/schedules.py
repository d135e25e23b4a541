"""The store of schedules: for each its accepted source, what it was built from, and what partners see."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey

UNKNOWN_ETAG = "?"
"""The etag of a state that does not know what partners see; no content has it."""


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """What is committed of one schedule, read in one atomic step.

    ``committed_token`` and ``seq`` are 0 and ``etag`` is "" before the first publication; ``etag`` is ""
    again after a removal. The source has changed since it was last read if ``source_mark`` is greater
    than ``seen_mark``. ``accepted`` is None where no source document has been accepted.
    """

    key: ScheduleKey
    committed_token: int = 0
    seq: int = 0
    etag: str = ""
    source_mark: int = 0
    seen_mark: int = 0
    accepted: bytes | None = None
    ancestors: frozenset[Pid] = frozenset()

    @property
    def must_fetch(self) -> bool:
        return self.source_mark > self.seen_mark


@dataclass(frozen=True, slots=True)
class Commit:
    """One build's result, to be made true if nobody has overtaken it.

    ``read_token`` is the ``committed_token`` of the state that the build began from. ``accepted`` is b""
    where there is no source document, or where it is the one that the store has already. ``etag`` and
    ``document`` are empty where partners shall see nothing (any more). ``change`` is the row of the change
    feed, with the sequence number after the one that was read.
    """

    key: ScheduleKey
    token: int
    read_token: int
    seen_mark: int
    accepted: bytes
    accepted_is_new: bool
    ancestors: frozenset[Pid]
    etag: str
    document: bytes
    change: Change


class Outcome(StrEnum):
    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class CommitResult:
    """``PUBLISHED``: partners see something new, a removal included. ``UNCHANGED``: the same bytes, so
    nobody was told. ``SUPERSEDED``: a newer token had committed, nothing was done. ``MOVED``: an older
    one committed since our state was read; build again from the new state.

    ``announcements`` are rows that the change feed does not have for certain yet, by sequence number;
    also those that an earlier worker left behind.
    """

    outcome: Outcome
    seq: int
    announcements: tuple[tuple[int, bytes], ...] = ()


class ScheduleStore(Protocol):
    def count_source_change(self, keys: Sequence[ScheduleKey]) -> None:
        """Count up the source mark of each: its document is to be fetched again."""

    def read(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, ScheduleState]:
        """The committed state of each key, an empty one where there is none."""

    def commit(self, commits: Sequence[Commit]) -> list[CommitResult]:
        """Make each true in an atomic step of its own; the answers in the order of the commits."""

    def confirm_announced(self, seqs: Mapping[ScheduleKey, int]) -> None:
        """Say that the change feed has all rows up to these sequence numbers."""

    def documents(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, bytes]:
        """The published documents, of those that have one."""

    def stored_keys(self) -> Iterator[list[ScheduleKey]]:
        """All schedules of which anything is committed or marked, in batches; each at least once."""

    def invalidate(self, seqs: Mapping[ScheduleKey, int], token: int) -> None:
        """Say that nothing is known of what partners see of these, so that the next commit publishes whatever
        it is, under a number above the one given. ``token`` is that of a claim of them, which is spent by this.
        """

    def forget(self, tokens: Mapping[ScheduleKey, int]) -> set[ScheduleKey]:
        """Forget everything of schedules that partners do not see, with their committed tokens as read.

        Left alone where anybody has committed since, where the source has changed since it was seen, and where
        the feed may lack a row. Answers with those that are gone.
        """
