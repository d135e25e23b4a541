"""The old system's keyspace, read for comparison."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from schedules_pipeline.domain.identifiers import ScheduleKey


class LegacyKeyspace(Protocol):
    """The documents of the old system. Read-only."""

    def read(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, bytes]:
        """The legacy documents; schedules without one are absent."""

    def list_keys(self) -> Iterator[ScheduleKey]:
        """Every schedule with a legacy document. Other keys are skipped."""

    def refreshed_at(self) -> str:
        """When the last refresh of the old system ended, as it wrote it; "" before the first."""
