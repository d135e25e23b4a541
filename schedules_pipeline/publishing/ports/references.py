"""The back-reference index: from every catalogue pid to what depends on it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from schedules_pipeline.domain.dependencies import Entry, Reference
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey


class ReferenceIndex(Protocol):
    """Over-approximates: it may hold a reference too many, which costs a rebuild, never one too few."""

    def register(self, entries: Mapping[ScheduleKey, Iterable[Entry]], token: int) -> None:
        """Add entries, scored by the token; a score is never lowered."""

    def unregister(self, entries: Mapping[ScheduleKey, Iterable[Entry]], token: int) -> int:
        """Remove entries, where their score is not above the token; answers with how many were removed."""

    def references(self, pids: Sequence[Pid]) -> dict[Pid, list[Reference]]:
        """Everything that depends on each pid; an empty list where nothing does."""

    def missing(self, entries: Mapping[ScheduleKey, Iterable[Entry]]) -> dict[ScheduleKey, list[Entry]]:
        """Those of the entries that the index lacks: none, unless something is broken."""

    def pids(self) -> Iterator[list[Pid]]:
        """All pids that anything depends on, in batches; each at least once."""
