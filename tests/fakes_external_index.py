"""The fakes of a store with an external index, where one step on Redis becomes several.

Belongs here: the steps on the tokens alone, as the scripts of ``external_index`` take them, and an index whose
entries are written one by one. The real code orders the steps.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from fakes import (
    Conditions,
    FakeClock,
    FakeCopyStore,
    FakeReferenceIndex,
    FakeStore,
    answered,
    fake_store,
    step,
)

from schedules_pipeline.composition import Store
from schedules_pipeline.domain.dependencies import Entry, Reference
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.publishing.ports.catalogue import CollectionCounts
from schedules_pipeline.store.external_index import (
    ExternalIndexSteps,
    TokenCheckedReferenceIndex,
    UpdateStart,
)

EntriesBySchedule = Mapping[ScheduleKey, Iterable[Entry]]


class FakeExternalIndex(FakeReferenceIndex):
    """A table of single entries: each entry is written, and each pid is checked, in a step of its own."""

    @answered
    def register(self, entries: EntriesBySchedule, token: int) -> None:
        single = [
            (entry.pid, Reference(key, entry.broadcast_pid)) for key, e in entries.items() for entry in e
        ]
        for pid, reference in self.in_any_order(single):
            self._register_one(pid, [reference], token)

    @answered
    def depended_on(self, pids: Sequence[Pid]) -> set[Pid]:
        return {pid for pid in self.in_any_order(pids) if self._is_depended_on(pid)}

    @step
    def _is_depended_on(self, pid: Pid) -> bool:
        return self.has_dependants(pid)


class FakeCopyStoreWithExternalIndex(ExternalIndexSteps, FakeCopyStore):
    """Implements :class:`CopyStore` over an external index."""

    def __init__(self, conditions: Conditions, index: FakeExternalIndex, clock: FakeClock) -> None:
        super().__init__(conditions, index, clock)
        self.index = index

    @answered
    def _start(self, pids: Sequence[Pid]) -> dict[Pid, UpdateStart]:
        started = {pid: self._start_one(pid) for pid in self.in_any_order(pids)}
        return {pid: started[pid] for pid in pids}

    @answered
    def _ignore(self, tokens: Mapping[Pid, int]) -> set[Pid]:
        return {pid for pid in self.in_any_order(tokens) if self._ignore_one(pid, tokens[pid])}

    @answered
    def _latest_tokens(self, pids: Sequence[Pid]) -> dict[Pid, int]:
        return {pid: self._latest_token(pid) for pid in self.in_any_order(pids)}

    @answered
    def _delete(self, tokens: Mapping[Pid, int]) -> CollectionCounts:
        gone = [self._delete_one(pid, tokens[pid]) for pid in self.in_any_order(tokens)]
        return CollectionCounts(sum(copies for copies, _ in gone), sum(notes for _, notes in gone))

    @step
    def _start_one(self, pid: Pid) -> UpdateStart:
        known = self.tokens_of(pid)
        known.token += 1
        self._touch(known)
        return UpdateStart(known.token, known.pending is not None, self.copies.get(pid))

    @step
    def _ignore_one(self, pid: Pid, token: int) -> bool:
        known = self.tokens_of(pid)
        if not self.is_latest(pid, token) or self.has_copy(pid):
            return False
        known.newest, known.is_absence_recorded = self.newest_after_ignored(known), False
        self._touch(known)
        return True

    @step
    def _latest_token(self, pid: Pid) -> int:
        return self.tokens_of(pid).token

    @step
    def _delete_one(self, pid: Pid, token: int) -> tuple[int, int]:
        if not self.is_latest(pid, token) or self.tokens_of(pid).pending is not None:
            return 0, 0
        return self.remove(pid)

    def is_latest(self, pid: Pid, token: int) -> bool:
        """Whether no worker has taken a token since this one."""
        return self.tokens_of(pid).token == token

    def has_copy(self, pid: Pid) -> bool:
        """Whether there is a copy now."""
        return pid in self.copies


class FakeStoreWithExternalIndex(FakeStore):
    """The fakes of one store; its index checks tokens, as the real one does."""

    def as_store(self) -> Store:
        return replace(
            FakeStore.as_store(self), references=TokenCheckedReferenceIndex(self.references, self.copies)
        )


def fake_store_with_external_index(clock: FakeClock, conditions: Conditions | None = None) -> FakeStore:
    """An empty store."""
    conditions = conditions or Conditions()
    index = FakeExternalIndex(conditions)
    near = fake_store(clock, conditions)
    fakes = {name: getattr(near, name) for name in FakeStore.__dataclass_fields__}
    apart = {"copies": FakeCopyStoreWithExternalIndex(conditions, index, clock), "references": index}
    return FakeStoreWithExternalIndex(**fakes | apart)
