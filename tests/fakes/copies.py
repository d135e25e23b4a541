"""Fakes of our catalogue copies and of the catalogue."""

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
class FakeVersionToken:
    """What is known of an item besides its copy; gone a while after its last use, unless something is owed
    or missed.
    """

    token: int = 0
    newest: int = 0
    owed: int | None = None
    is_missed: bool = False
    expires_at: datetime | None = None


class FakeCopyStore(Fake):
    """Implements :class:`CopyStore`."""

    def __init__(self, conditions: Conditions, references: FakeReferenceIndex, clock: FakeClock) -> None:
        super().__init__(conditions)
        self.copies: dict[Pid, bytes] = {}
        self.fences: dict[Pid, FakeVersionToken] = {}
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
            self._settle_one(pid, tokens[pid])

    @answered
    def read(self, pids: Sequence[Pid]) -> dict[Pid, bytes]:
        found = {pid: self._read_one(pid) for pid in self.in_any_order(pids)}
        return {pid: copy for pid in pids if (copy := found[pid]) is not None}

    @answered
    def take_tokens(self, pids: Sequence[Pid]) -> dict[Pid, int]:
        return {pid: self._take_token(pid) for pid in self.in_any_order(pids)}

    @answered
    def insert_if_absent(self, values: Mapping[Pid, tuple[int, bytes]]) -> dict[Pid, bytes | None]:
        inserted = {pid: self._plant_one(pid, *values[pid]) for pid in self.in_any_order(values)}
        return {pid: inserted[pid] for pid in values}

    @answered
    def record_absence(self, pids: Sequence[Pid]) -> None:
        for pid in self.in_any_order(pids):
            self._note_one(pid)

    @answered
    def invalidate_tokens(self, pids: Sequence[Pid]) -> None:
        for pid in self.in_any_order(pids):
            self._outdate_one(pid)

    def stored_pids(self) -> Iterator[list[Pid]]:
        self.conditions.checkpoint("stored_pids")
        yield sorted(self.copies)

    def tracked_pids(self) -> Iterator[list[Pid]]:
        self.conditions.checkpoint("fenced")
        yield sorted(self.fences)

    @answered
    def collect(self, pids: Sequence[Pid]) -> CollectionCounts:
        gone = [self._collect_one(pid) for pid in self.in_any_order(pids)]
        return CollectionCounts(sum(copies for copies, _ in gone), sum(notes for _, notes in gone))

    @step
    def _begin_one(self, pid: Pid) -> UpdateTicket:
        version_token = self.version_token(pid)
        version_token.token += 1
        needed = self.is_needed(pid)
        if not needed:
            version_token.newest, version_token.is_missed = self.fence_of_ignored(version_token), False
        self._touch(version_token)
        return UpdateTicket(version_token.token, needed, version_token.owed is not None, self.copies.get(pid))

    @step
    def _store_one(self, pid: Pid, update: CopyUpdate) -> StoreResult:
        version_token, copy = self.version_token(pid), self.copies.get(pid)
        changed = False
        if self.is_fresh(version_token, update.token):
            changed = copy != update.value and not self.is_restated(copy, update)
            version_token.newest = (
                update.token if changed else self.fence_of_equal(version_token, update.token)
            )
            self.copies[pid] = update.value
            if changed:
                self.owe(version_token, update.token)
        pending = changed or version_token.owed is not None
        return StoreResult(changed, pending, copy if changed else None)

    @step
    def _settle_one(self, pid: Pid, token: int) -> None:
        version_token = self.version_token(pid)
        if version_token.owed is not None and self.may_settle(version_token.owed, token):
            version_token.owed = None
            self._touch(version_token)

    @step
    def _read_one(self, pid: Pid) -> bytes | None:
        return self.copies.get(pid)

    @step
    def _take_token(self, pid: Pid) -> int:
        version_token = self.version_token(pid)
        version_token.token += 1
        self._touch(version_token)
        return version_token.token

    @step
    def _plant_one(self, pid: Pid, token: int, value: bytes) -> bytes | None:
        version_token = self.version_token(pid)
        self._touch(version_token)
        if pid in self.copies:
            return self.copies[pid]
        if not self.may_plant(version_token, token):
            return None
        self.copies[pid] = value
        version_token.newest = token
        if self.is_missed(version_token):
            self.owe(version_token, token)
        return value

    @step
    def _outdate_one(self, pid: Pid) -> None:
        if pid in self.fences:
            version_token = self.version_token(pid)
            version_token.token += 1
            version_token.newest = self.fence_of_outdated(version_token)

    @step
    def _note_one(self, pid: Pid) -> None:
        if pid not in self.copies:
            version_token = self.version_token(pid)
            version_token.is_missed = True
            version_token.expires_at = None

    @step
    def _collect_one(self, pid: Pid) -> tuple[int, int]:
        return self.remove(pid) if self.is_superfluous(pid) else (0, 0)

    def is_superfluous(self, pid: Pid) -> bool:
        """Whether nothing depends on the item, and nobody is owed a change of it."""
        return not self._references.has_dependants(pid) and self.version_token(pid).owed is None

    def remove(self, pid: Pid) -> tuple[int, int]:
        """Delete copy and note; the fence stays, for somebody may be about to store what was read before."""
        version_token = self.version_token(pid)
        gone = int(self.copies.pop(pid, None) is not None), int(version_token.is_missed)
        version_token.is_missed = False
        self._touch(version_token)
        return gone

    def is_needed(self, pid: Pid) -> bool:
        """Whether an item has to be followed. A copy without dependants counts: it may be used again."""
        return pid in self.copies or self._references.has_dependants(pid)

    def is_fresh(self, version_token: FakeVersionToken, token: int) -> bool:
        """Whether nothing newer was recorded than what this token's holder has read."""
        return token > version_token.newest

    def is_restated(self, copy: bytes | None, update: CopyUpdate) -> bool:
        """Whether the update only says in another form what the copy says that is still there."""
        return copy is not None and copy == update.same_as

    def may_plant(self, version_token: FakeVersionToken, token: int) -> bool:
        return token > version_token.newest

    def may_settle(self, owed: int, token: int) -> bool:
        """Whether the debt is not newer than what was propagated."""
        return owed <= token

    def fence_of_ignored(self, version_token: FakeVersionToken) -> int:
        """Nobody may store what was read before an event that was ignored."""
        return version_token.token

    def fence_of_outdated(self, version_token: FakeVersionToken) -> int:
        """Nobody may store what was read before notifications were thrown away."""
        return version_token.token

    def fence_of_equal(self, version_token: FakeVersionToken, token: int) -> int:
        """Nobody may store what was read before a value that turned out to be the same."""
        return token

    def owe(self, version_token: FakeVersionToken, token: int) -> None:
        """What is owed does not expire."""
        version_token.owed, version_token.is_missed, version_token.expires_at = token, False, None

    def is_missed(self, version_token: FakeVersionToken) -> bool:
        """Whether some build has relied on there being no copy."""
        return version_token.is_missed

    def version_token(self, pid: Pid) -> FakeVersionToken:
        known = self.fences.get(pid)
        if known is None or (known.expires_at is not None and known.expires_at <= self._clock()):
            known = self.fences[pid] = FakeVersionToken()
        return known

    def _touch(self, version_token: FakeVersionToken) -> None:
        if version_token.owed is None and not version_token.is_missed:
            version_token.expires_at = self._clock() + TOKEN_KEPT_FOR


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
