"""The schedules whose accepted source document has broadcasts in quarantine."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from schedules_pipeline.domain.identifiers import ScheduleKey


class QuarantinedBroadcastStore(Protocol):
    """One text for each schedule: a line that sums up, then a line for each thing that was mended. The broadcasts
    themselves are committed with the source.
    """

    def keep(self, summaries: Mapping[ScheduleKey, str]) -> None: ...

    def forget(self, keys: Sequence[ScheduleKey]) -> None:
        """The source has no such broadcasts any more, or the schedule is gone."""

    def find(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, str]:
        """The whole text of each; schedules without one are left out."""

    def all(self) -> dict[ScheduleKey, str]:
        """The first line of each."""
