"""The catalogue keyspace, and the copies of its items that publishing keeps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from schedules_pipeline.domain.identifiers import Pid


@dataclass(frozen=True, slots=True)
class UpdateTicket:
    """The first step of following an item. ``is_needed``: it has a copy or dependants. ``propagation_pending``: an
    earlier change has not reached the dependants yet. ``copy``: the stored copy.
    """

    token: int
    is_needed: bool
    propagation_pending: bool
    copy: bytes | None = None


class CopyUpdate(NamedTuple):
    """What was read of an item under a token. ``same_as``: a stored copy of another form with the same meaning."""

    token: int
    value: bytes
    same_as: bytes = b""


@dataclass(frozen=True, slots=True)
class StoreResult:
    """The second step. ``propagation_pending``: this or an earlier change has not reached the dependants yet.
    ``previous``: the copy that was replaced; None if there was none or the value is equal.
    """

    changed: bool
    propagation_pending: bool
    previous: bytes | None = None


@dataclass(frozen=True, slots=True)
class CollectionCounts:
    """How many copies were deleted, and how many records of an absence."""

    copies: int
    absences: int


class CatalogueSource(Protocol):
    """The catalogue pipeline's keyspace, which is only read."""

    def read(self, pids: Sequence[Pid]) -> dict[Pid, bytes]:
        """The current documents; pids without one are left out."""


class CopyStore(Protocol):
    """Copies of catalogue items. Each has version tokens, so a slow worker cannot store an older value."""

    def begin(self, pids: Sequence[Pid]) -> dict[Pid, UpdateTicket]:
        """Take a token for each. If the item is not needed, the same step records the token as the newest, so that
        no worker can store a value that it read earlier.
        """

    def store(self, updates: Mapping[Pid, CopyUpdate]) -> dict[Pid, StoreResult]:
        """Unless a newer token is recorded: record this one, and store a different value with a pending
        propagation, or without one if it replaces the copy that means the same.
        """

    def acknowledge(self, tokens: Mapping[Pid, int]) -> None:
        """Every dependant is marked, so changes up to these tokens are no longer pending."""

    def read(self, pids: Sequence[Pid]) -> dict[Pid, bytes]:
        """The copies; pids without one are left out."""

    def take_tokens(self, pids: Sequence[Pid]) -> dict[Pid, int]:
        """A token for each, for :meth:`insert_if_absent`. The caller reads the source afterwards."""

    def insert_if_absent(self, values: Mapping[Pid, tuple[int, bytes]]) -> dict[Pid, bytes | None]:
        """Store each value unless there is a copy or a newer token. If the absence was recorded, the propagation is
        pending. Returns the copy that is there now, or None if the token was too old: then the caller takes a new
        token and reads the source again.
        """

    def record_absence(self, pids: Sequence[Pid]) -> None:
        """Record, for pids without a copy, that a build relies on their absence.

        Otherwise the schedule could miss the item: if another build inserts the copy before the item's notification
        is handled, that notification finds an equal copy and marks nothing.
        """

    def invalidate_tokens(self, pids: Sequence[Pid]) -> None:
        """Make all tokens taken so far too old to store or insert with. A purge of the queue requires this, because
        the purged notifications would have done it.
        """

    def stored_pids(self) -> Iterator[list[Pid]]:
        """All pids with a copy, in batches; each at least once."""

    def tracked_pids(self) -> Iterator[list[Pid]]:
        """All pids with a token, a pending propagation or a recorded absence, in batches; each at least once."""

    def collect(self, pids: Sequence[Pid]) -> CollectionCounts:
        """Delete copies and recorded absences, each in one step with the check that the pid has neither dependants nor
        a pending propagation. Tokens outlive this by a day, since a worker may still hold an older value.
        """
