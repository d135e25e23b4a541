"""Fakes of the catalogue and of the catalogue copies."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fakes.conditions import Conditions, Fake, FakeClock, answered, step
from fakes.references import FakeReferenceIndex
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.publishing.ports.catalogue import (
    CollectionCounts,
    CopyUpdate,
    StoreResult,
    UpdateTicket,
)

TOKEN_KEPT_FOR = timedelta(days=1)


@dataclass(slots=True)
class FakeTokens:
    """The tokens of an item, besides its copy. They expire a while after their last use, unless a propagation is
    pending or an absence is recorded.
    """

    token: int = 0
    newest: int = 0
    pending: int | None = None
    is_absence_recorded: bool = False
    expires_at: datetime | None = None


class FakeCopyStore(Fake):
    """Implements :class:`CopyStore`."""

    def __init__(self, conditions: Conditions, references: FakeReferenceIndex, clock: FakeClock) -> None:
        super().__init__(conditions)
        self.copies: dict[Pid, bytes] = {}
        self.tokens: dict[Pid, FakeTokens] = {}
        self._references = references
        self._clock = clock

    @answered
    def begin(self, pids: Sequence[Pid]) -> dict[Pid, UpdateTicket]:
        begun = {pid: self._begin_one(pid) for pid in self.in_any_order(pids)}
        return {pid: begun[pid] for pid in pids}

    @answered
    def store(self, updates: Mapping[Pid, CopyUpdate]) -> dict[Pid, StoreResult]:
        stored = {pid: self._store_one(pid, updates[pid]) for pid in self.in_any_order(updates)}
        return {pid: stored[pid] for pid in updates}

    @answered
    def acknowledge(self, tokens: Mapping[Pid, int]) -> None:
        for pid in self.in_any_order(tokens):
            self._acknowledge_one(pid, tokens[pid])

    @answered
    def read(self, pids: Sequence[Pid]) -> dict[Pid, bytes]:
        found = {pid: self._read_one(pid) for pid in self.in_any_order(pids)}
        return {pid: copy for pid in pids if (copy := found[pid]) is not None}

    @answered
    def take_tokens(self, pids: Sequence[Pid]) -> dict[Pid, int]:
        return {pid: self._take_token(pid) for pid in self.in_any_order(pids)}

    @answered
    def insert_if_absent(self, values: Mapping[Pid, tuple[int, bytes]]) -> dict[Pid, bytes | None]:
        inserted = {pid: self._insert_one(pid, *values[pid]) for pid in self.in_any_order(values)}
        return {pid: inserted[pid] for pid in values}

    @answered
    def record_absence(self, pids: Sequence[Pid]) -> None:
        for pid in self.in_any_order(pids):
            self._record_absence_one(pid)

    @answered
    def invalidate_tokens(self, pids: Sequence[Pid]) -> None:
        for pid in self.in_any_order(pids):
            self._invalidate_one(pid)

    def stored_pids(self) -> Iterator[list[Pid]]:
        self.conditions.checkpoint("stored_pids")
        yield sorted(self.copies)

    def tracked_pids(self) -> Iterator[list[Pid]]:
        self.conditions.checkpoint("tracked_pids")
        yield sorted(self.tokens)

    @answered
    def collect(self, pids: Sequence[Pid]) -> CollectionCounts:
        gone = [self._collect_one(pid) for pid in self.in_any_order(pids)]
        return CollectionCounts(sum(copies for copies, _ in gone), sum(notes for _, notes in gone))

    @step
    def _begin_one(self, pid: Pid) -> UpdateTicket:
        known = self.tokens_of(pid)
        known.token += 1
        needed = self.is_needed(pid)
        if not needed:
            known.newest, known.is_absence_recorded = self.newest_after_ignored(known), False
        self._touch(known)
        return UpdateTicket(known.token, needed, known.pending is not None, self.copies.get(pid))

    @step
    def _store_one(self, pid: Pid, update: CopyUpdate) -> StoreResult:
        known, copy = self.tokens_of(pid), self.copies.get(pid)
        changed = False
        if self.is_fresh(known, update.token):
            changed = copy != update.value and not self.is_restated(copy, update)
            known.newest = update.token if changed else self.newest_after_equal(known, update.token)
            self.copies[pid] = update.value
            if changed:
                self.make_pending(known, update.token)
        pending = changed or known.pending is not None
        return StoreResult(changed, pending, copy if changed else None)

    @step
    def _acknowledge_one(self, pid: Pid, token: int) -> None:
        known = self.tokens_of(pid)
        if known.pending is not None and self.may_acknowledge(known.pending, token):
            known.pending = None
            self._touch(known)

    @step
    def _read_one(self, pid: Pid) -> bytes | None:
        return self.copies.get(pid)

    @step
    def _take_token(self, pid: Pid) -> int:
        known = self.tokens_of(pid)
        known.token += 1
        self._touch(known)
        return known.token

    @step
    def _insert_one(self, pid: Pid, token: int, value: bytes) -> bytes | None:
        known = self.tokens_of(pid)
        self._touch(known)
        if pid in self.copies:
            return self.copies[pid]
        if not self.may_insert(known, token):
            return None
        self.copies[pid] = value
        known.newest = token
        if self.is_absence_recorded(known):
            self.make_pending(known, token)
        return value

    @step
    def _invalidate_one(self, pid: Pid) -> None:
        if pid in self.tokens:
            known = self.tokens_of(pid)
            known.token += 1
            known.newest = self.newest_after_invalidation(known)

    @step
    def _record_absence_one(self, pid: Pid) -> None:
        if pid not in self.copies:
            known = self.tokens_of(pid)
            known.is_absence_recorded = True
            known.expires_at = None

    @step
    def _collect_one(self, pid: Pid) -> tuple[int, int]:
        return self.remove(pid) if self.is_superfluous(pid) else (0, 0)

    def is_superfluous(self, pid: Pid) -> bool:
        """Whether nothing depends on the item and no propagation is pending."""
        return not self._references.has_dependants(pid) and self.tokens_of(pid).pending is None

    def remove(self, pid: Pid) -> tuple[int, int]:
        """Delete the copy and the recorded absence. The tokens stay, because a worker may still hold an older value."""
        known = self.tokens_of(pid)
        gone = int(self.copies.pop(pid, None) is not None), int(known.is_absence_recorded)
        known.is_absence_recorded = False
        self._touch(known)
        return gone

    def is_needed(self, pid: Pid) -> bool:
        """Whether an item must be followed. A copy without dependants counts, because it may be used again."""
        return pid in self.copies or self._references.has_dependants(pid)

    def is_fresh(self, known: FakeTokens, token: int) -> bool:
        """Whether no newer token was recorded."""
        return token > known.newest

    def is_restated(self, copy: bytes | None, update: CopyUpdate) -> bool:
        """Whether the stored copy is the one that means the same as the update."""
        return copy is not None and copy == update.same_as

    def may_insert(self, known: FakeTokens, token: int) -> bool:
        return token > known.newest

    def may_acknowledge(self, pending: int, token: int) -> bool:
        """Whether no newer change is pending."""
        return pending <= token

    def newest_after_ignored(self, known: FakeTokens) -> int:
        """Values that were read before an ignored event must not be stored."""
        return known.token

    def newest_after_invalidation(self, known: FakeTokens) -> int:
        """Values that were read before a purge must not be stored."""
        return known.token

    def newest_after_equal(self, known: FakeTokens, token: int) -> int:
        """Values that were read before an equal value was stored must not be stored."""
        return token

    def make_pending(self, known: FakeTokens, token: int) -> None:
        """A pending propagation does not expire."""
        known.pending, known.is_absence_recorded, known.expires_at = token, False, None

    def is_absence_recorded(self, known: FakeTokens) -> bool:
        """Whether a build relies on the absence of a copy."""
        return known.is_absence_recorded

    def tokens_of(self, pid: Pid) -> FakeTokens:
        known = self.tokens.get(pid)
        if known is None or (known.expires_at is not None and known.expires_at <= self._clock()):
            known = self.tokens[pid] = FakeTokens()
        return known

    def _touch(self, known: FakeTokens) -> None:
        if known.pending is None and not known.is_absence_recorded:
            known.expires_at = self._clock() + TOKEN_KEPT_FOR


class FakeCatalogueSource(Fake):
    """Implements :class:`CatalogueSource`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self.documents: dict[Pid, bytes] = {}

    @answered
    def read(self, pids: Sequence[Pid]) -> dict[Pid, bytes]:
        found = {pid: self._read_one(pid) for pid in self.in_any_order(pids)}
        return {pid: content for pid in pids if (content := found[pid]) is not None}

    @step
    def _read_one(self, pid: Pid) -> bytes | None:
        return self.documents.get(pid)
