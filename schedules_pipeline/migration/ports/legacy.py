"""The old system's keyspace, read for comparison."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from schedules_pipeline.domain.identifiers import ScheduleKey


class LegacyKeyspace(Protocol):
    """What the old system wrote; only ever read."""

    def read(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, bytes]:
        """The legacy documents, of those that have one."""

    def list_keys(self) -> Iterator[ScheduleKey]:
        """Every schedule that has a legacy document; keys with other names are passed over."""

    def refreshed_at(self) -> str:
        """When the old system last ended a refresh, as it wrote it; "" before the first."""
