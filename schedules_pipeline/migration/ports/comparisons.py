"""The comparisons of published schedules with the documents of the old system."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from schedules_pipeline.domain.identifiers import ScheduleKey, Sid


class Verdict(StrEnum):
    MATCHES = "matches"
    DIFFERS = "differs"
    SUSPECTED = "suspected"
    NOT_COMPARABLE = "not comparable yet"

    @classmethod
    def _missing_(cls, value: object) -> "Verdict | None":
        """A verdict that a newer release has added says nothing that this one could count."""
        return cls.NOT_COMPARABLE if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison of version ``seq`` of a schedule with the legacy document of ``generated_at``.

    ``SUSPECTED``: they differ, but a change may be on its way. It becomes a difference if the next refresh shows it
    again while the version is unchanged. ``differences`` holds the first few of ``difference_count``.
    """

    seq: int
    verdict: Verdict
    generated_at: str
    reason: str = ""
    difference_count: int = 0
    differences: tuple[tuple[str, str, str, str], ...] = ()


class ComparisonStore(Protocol):
    """The latest comparison of every schedule."""

    def keep(self, comparisons: Mapping[ScheduleKey, Comparison]) -> None: ...

    def forget(self, keys: Sequence[ScheduleKey]) -> None:
        """Delete the comparisons of schedules that neither side has any more."""

    def find(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, Comparison]:
        """The comparisons of these schedules; schedules without one are absent."""

    def all(self) -> dict[ScheduleKey, Comparison]: ...

    def tally(self) -> dict[tuple[Sid, Verdict], int]:
        """The number of schedules by service and verdict; zeros are absent."""

    def compared_refresh(self) -> str:
        """The refresh that was compared last, as the old system wrote it; "" before the first."""

    def record_compared_refresh(self, refreshed_at: str) -> None: ...
