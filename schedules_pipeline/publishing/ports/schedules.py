"""The store of schedules: the accepted source of each, its dependencies, and the published document."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey

UNKNOWN_ETAG = "?"
"""The etag of a state after :meth:`ScheduleStore.invalidate`; no content has it."""


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """The committed state of one schedule, read in one atomic step.

    Before the first publication ``committed_token`` and ``seq`` are 0 and ``etag`` is ""; after a removal ``etag`` is
    "" again. ``accepted`` is None if there is no accepted source document. ``covered``: the record of the airtime that
    it covers and that earlier ones covered lately; None if a release that kept none has committed.
    """

    key: ScheduleKey
    committed_token: int = 0
    seq: int = 0
    etag: str = ""
    source_mark: int = 0
    seen_mark: int = 0
    accepted: bytes | None = None
    ancestors: frozenset[Pid] = frozenset()
    covered: bytes | None = None

    @property
    def must_fetch(self) -> bool:
        """Whether the source has changed since it was last read."""
        return self.source_mark > self.seen_mark


@dataclass(frozen=True, slots=True)
class Commit:
    """The result of one build, to be committed unless another build has committed.

    ``read_token`` is the ``committed_token`` of the state that the build began from. ``accepted`` is b"" if there is
    no source document or the store has it already. ``covered`` goes with a new accepted source. ``etag`` and
    ``document`` are empty if partners see no schedule.
    ``change`` is the row of the change feed, with the next sequence number.
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
    covered: bytes = b""


class Outcome(StrEnum):
    """``PUBLISHED``: a new version or a removal. ``UNCHANGED``: the bytes are equal, so nothing was published.
    ``SUPERSEDED``: a build with a newer token has committed, so this one was dropped. ``MOVED``: a build with an older
    token has committed since the state was read, so this one starts again from the new state.
    """

    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class CommitResult:
    """``announcements``: rows by sequence number that the change feed may lack, including those that an earlier
    worker left behind.
    """

    outcome: Outcome
    seq: int
    announcements: tuple[tuple[int, bytes], ...] = ()


class ScheduleStore(Protocol):
    def count_source_change(self, keys: Sequence[ScheduleKey]) -> None:
        """Count up the source mark of each, so that the next build fetches its document."""

    def read(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, ScheduleState]:
        """The committed state of each key, by default an empty one."""

    def commit(self, commits: Iterable[Commit]) -> list[CommitResult]:
        """Commit each in one atomic step, the first ones while the later ones are made. The results are in the order
        of the commits. If one cannot be made, the error passes through, and those before it may be committed.
        """

    def confirm_announced(self, seqs: Mapping[ScheduleKey, int]) -> None:
        """The change feed has all rows up to these sequence numbers."""

    def documents(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, bytes]:
        """The published documents; keys without one are left out."""

    def frames(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, bytes]:
        """The same, each compressed as a Zstandard frame, as it is stored."""

    def stored_keys(self) -> Iterator[list[ScheduleKey]]:
        """All schedules with a committed state or a source mark, in batches; each at least once."""

    def invalidate(self, seqs: Mapping[ScheduleKey, int], token: int) -> None:
        """Make the next commit publish in any case, with a number above the given one. ``token``: of a claim of these
        schedules, which cannot commit afterwards.
        """

    def restore(self, sources: Mapping[ScheduleKey, tuple[bytes, bytes]], token: int) -> None:
        """Put an accepted source and its coverage in the place of what is there, and have the next build fetch the
        document. ``token``: of a claim of these schedules, which cannot commit afterwards. It has no effect on a
        schedule for which a newer claim has committed.
        """

    def forget(self, tokens: Mapping[ScheduleKey, int]) -> set[ScheduleKey]:
        """Delete the states of schedules that partners do not see, given their committed tokens as read.

        A state stays if another build has committed since, if its source has changed, or if the feed may lack a row
        of it. Returns the deleted keys.
        """
