"""The fakes of a store whose back-references are elsewhere: what is one step with the index in Redis is several.

Belongs here: the steps of the fence alone, as the scripts of ``external_index`` take them, and an index whose
entries are written one by one. What puts the steps in order is the real code.
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
    """An index as a table of single entries is one: each is written, and each pid looked at, by itself."""

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
    """Implements :class:`CopyStore`, with the dependants elsewhere."""

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
        version_token = self.version_token(pid)
        version_token.token += 1
        self._touch(version_token)
        return UpdateStart(version_token.token, version_token.owed is not None, self.copies.get(pid))

    @step
    def _ignore_one(self, pid: Pid, token: int) -> bool:
        version_token = self.version_token(pid)
        if not self.is_latest(pid, token) or self.has_come(pid):
            return False
        version_token.newest, version_token.is_missed = self.fence_of_ignored(version_token), False
        self._touch(version_token)
        return True

    @step
    def _latest_token(self, pid: Pid) -> int:
        return self.version_token(pid).token

    @step
    def _delete_one(self, pid: Pid, token: int) -> tuple[int, int]:
        if not self.is_latest(pid, token) or self.version_token(pid).owed is not None:
            return 0, 0
        return self.remove(pid)

    def is_latest(self, pid: Pid, token: int) -> bool:
        """Whether nobody has registered, begun or planted since the token was taken."""
        return self.version_token(pid).token == token

    def has_come(self, pid: Pid) -> bool:
        """Whether there is a copy by now."""
        return pid in self.copies


class FakeStoreBesideIndex(FakeStore):
    """The fakes of one store; its back-references are behind what is behind them in a real one."""

    def as_store(self) -> Store:
        return replace(
            FakeStore.as_store(self), references=TokenCheckedReferenceIndex(self.references, self.copies)
        )


def fake_store_external_index(clock: FakeClock, conditions: Conditions | None = None) -> FakeStore:
    """An empty store."""
    conditions = conditions or Conditions()
    index = FakeExternalIndex(conditions)
    near = fake_store(clock, conditions)
    fakes = {name: getattr(near, name) for name in FakeStore.__dataclass_fields__}
    apart = {"copies": FakeCopyStoreWithExternalIndex(conditions, index, clock), "references": index}
    return FakeStoreBesideIndex(**fakes | apart)
