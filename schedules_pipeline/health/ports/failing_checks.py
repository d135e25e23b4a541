"""The asset checks that currently fail as errors."""

from collections.abc import Mapping
from typing import Protocol

from schedules_pipeline.domain.identifiers import ScheduleKey


class FailingCheckStore(Protocol):
    """Failing checks by schedule and name. Dagster cannot be asked for the latest evaluation of every partition."""

    def record(self, outcomes: Mapping[tuple[ScheduleKey, str], str | None]) -> None:
        """Record evaluations: the summary of each check that fails as an error, None for any other result."""

    def all(self) -> dict[tuple[ScheduleKey, str], str]: ...
