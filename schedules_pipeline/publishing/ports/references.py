"""The back-reference index: from every catalogue pid to the schedules that depend on it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from schedules_pipeline.domain.dependencies import Entry, Reference
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey

EntriesBySchedule = Mapping[ScheduleKey, Iterable[Entry]]


class ReferenceIndex(Protocol):
    """It over-approximates: an extra reference costs a rebuild, and no reference is ever missing."""

    def register(self, entries: EntriesBySchedule, token: int) -> None:
        """Add entries with the token as their score; a score is never lowered."""

    def unregister(self, entries: EntriesBySchedule, token: int) -> int:
        """Remove the entries whose score is not above the token. Returns how many."""

    def references(self, pids: Sequence[Pid]) -> dict[Pid, list[Reference]]:
        """The dependants of each pid, or an empty list."""

    def missing(self, entries: EntriesBySchedule) -> dict[ScheduleKey, list[Entry]]:
        """The entries that the index lacks. There are none unless the index is damaged."""

    def pids(self) -> Iterator[list[Pid]]:
        """All pids with dependants, in batches; each at least once."""
