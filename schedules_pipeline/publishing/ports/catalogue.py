"""Our copies of catalogue items, and the catalogue keyspace that they are copied from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from schedules_pipeline.domain.identifiers import Pid


@dataclass(frozen=True, slots=True)
class UpdateTicket:
    """The first step of following an item: our token, whether anybody needs the item at all, and whether
    an earlier change is still owed to its dependants.
    """

    token: int
    is_needed: bool
    propagation_pending: bool


@dataclass(frozen=True, slots=True)
class StoreResult:
    """The second step: whether our copy changed, and whether a change is still to be propagated.
    ``previous``: what a changed copy was before; None where there was none, or nothing changed.
    """

    changed: bool
    propagation_pending: bool
    previous: bytes | None = None


@dataclass(frozen=True, slots=True)
class CollectionCounts:
    """How many copies were deleted, and how many notes that a copy is missed."""

    copies: int
    absences: int


class CatalogueSource(Protocol):
    """The catalogue pipeline's keyspace; only ever read."""

    def read(self, pids: Sequence[Pid]) -> dict[Pid, bytes]:
        """The current documents, of those that have one."""


class CopyStore(Protocol):
    """Our copies, each fenced by tokens of its own so that no slow worker can bring back an old one."""

    def begin(self, pids: Sequence[Pid]) -> dict[Pid, UpdateTicket]:
        """Take a token for each. Where nobody needs the item, record the token in the same step, so that
        nobody can store what was read before now.
        """

    def store(self, values: Mapping[Pid, tuple[int, bytes]]) -> dict[Pid, StoreResult]:
        """Where no newer token was recorded: record ours, also where the value is equal; and if it
        differs, keep it together with a mark that it is to be propagated.
        """

    def acknowledge(self, tokens: Mapping[Pid, int]) -> None:
        """Say that changes up to these tokens were propagated: every dependant is marked dirty."""

    def read(self, pids: Sequence[Pid]) -> dict[Pid, bytes]:
        """Our copies, of those that we hold."""

    def take_tokens(self, pids: Sequence[Pid]) -> dict[Pid, int]:
        """A token for each, to plant what is read after this moment."""

    def insert_if_absent(self, values: Mapping[Pid, tuple[int, bytes]]) -> dict[Pid, bytes | None]:
        """Where there is no copy and no newer token: keep ours, owed to the dependants where its absence
        was noted. Returns the copy that counts now, or None where ours came too late: read the source
        again, under a new token.
        """

    def record_absence(self, pids: Sequence[Pid]) -> None:
        """Say that a build is about to rely on there being no copy of these, where there still is none.

        Without this, a copy that another build plants before the item's notification is handled would make
        that notification one of nothing new, and this build's schedule would never hear of the item.
        """

    def invalidate_tokens(self, pids: Sequence[Pid]) -> None:
        """Make every token that anybody holds of these too old to store or plant with.

        Due where notifications are thrown away: each would have made useless what was read before it.
        """

    def stored_pids(self) -> Iterator[list[Pid]]:
        """All pids of which we hold a copy, in batches; each at least once."""

    def tracked_pids(self) -> Iterator[list[Pid]]:
        """All pids of which tokens, debts or absences are remembered, in batches; each at least once."""

    def collect(self, pids: Sequence[Pid]) -> CollectionCounts:
        """Delete the copy of each, and the note that it is missed, where in the same step nothing depends on
        it and nothing is owed. Tokens are remembered for as long as somebody may be about to store.
        """
