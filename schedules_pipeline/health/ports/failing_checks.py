"""The asset checks that fail as errors now."""

from collections.abc import Mapping
from typing import Protocol

from schedules_pipeline.domain.identifiers import ScheduleKey


class FailingCheckStore(Protocol):
    """The checks that fail just now as errors, by schedule and name: Dagster has every evaluation that there
    ever was, but nobody can ask it for the latest of each partition at once.
    """

    def record(self, outcomes: Mapping[tuple[ScheduleKey, str], str | None]) -> None:
        """What was evaluated: the summary of each that fails as an error, None for each that does not."""

    def all(self) -> dict[tuple[ScheduleKey, str], str]: ...
