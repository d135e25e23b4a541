"""The fake back-reference index."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from fakes.conditions import Conditions, Fake, answered, step
from schedules_pipeline.domain.dependencies import Entry, Reference
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey

EntriesBySchedule = Mapping[ScheduleKey, Iterable[Entry]]


class FakeReferenceIndex(Fake):
    """Implements :class:`ReferenceIndex`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self.scores: dict[Pid, dict[Reference, int]] = defaultdict(dict)

    @answered
    def register(self, entries: EntriesBySchedule, token: int) -> None:
        by_pid = _by_pid(entries)
        for pid in self.in_any_order(by_pid):
            self._register_one(pid, by_pid[pid], token)

    @answered
    def unregister(self, entries: EntriesBySchedule, token: int) -> int:
        by_pid = _by_pid(entries)
        return sum([self._unregister_one(pid, by_pid[pid], token) for pid in self.in_any_order(by_pid)])

    @answered
    def references(self, pids: Sequence[Pid]) -> dict[Pid, list[Reference]]:
        found = {pid: self._references_one(pid) for pid in self.in_any_order(pids)}
        return {pid: found[pid] for pid in pids}

    @answered
    def missing(self, entries: EntriesBySchedule) -> dict[ScheduleKey, list[Entry]]:
        lacking: dict[ScheduleKey, list[Entry]] = defaultdict(list)
        for key, wanted in entries.items():
            for entry in wanted:
                if not self._has_one(key, entry):
                    lacking[key].append(entry)
        return dict(lacking)

    def pids(self) -> Iterator[list[Pid]]:
        self.conditions.checkpoint("pids")
        yield sorted(pid for pid, scores in self.scores.items() if scores)

    def has_dependants(self, pid: Pid) -> bool:
        return bool(self.scores.get(pid))

    @step
    def _register_one(self, pid: Pid, references: Sequence[Reference], token: int) -> None:
        for reference in references:
            self.scores[pid][reference] = max(token, self.scores[pid].get(reference, token))

    @step
    def _unregister_one(self, pid: Pid, references: Sequence[Reference], token: int) -> int:
        scores = self.scores[pid]
        gone = [reference for reference in references if self.may_remove(scores.get(reference), token)]
        for reference in gone:
            scores.pop(reference, None)
        return len(gone)

    def may_remove(self, score: int | None, token: int) -> bool:
        """Whether no build has registered the reference since the token was taken."""
        return score is not None and score <= token

    @step
    def _references_one(self, pid: Pid) -> list[Reference]:
        return sorted(self.scores.get(pid, ()), key=str)

    @step
    def _has_one(self, key: ScheduleKey, entry: Entry) -> bool:
        return Reference(key, entry.broadcast_pid) in self.scores.get(entry.pid, ())


def _by_pid(entries: EntriesBySchedule) -> dict[Pid, list[Reference]]:
    by_pid: dict[Pid, list[Reference]] = defaultdict(list)
    for key, wanted in entries.items():
        for entry in wanted:
            by_pid[entry.pid].append(Reference(key, entry.broadcast_pid))
    return by_pid
