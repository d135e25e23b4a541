"""How our schedules compare with the output of the old system."""

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


@dataclass(frozen=True, slots=True)
class Comparison:
    """How version ``seq`` of a schedule stood against the legacy document of ``generated_at``.

    ``SUSPECTED``: they differ, but a change may be on its way; counts as a difference if it still stands,
    and ours has not moved, at the next refresh. ``differences`` holds the first few of the count.
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
        """Neither side has them any more."""

    def find(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, Comparison]:
        """Those of these schedules, of those that have one."""

    def all(self) -> dict[ScheduleKey, Comparison]: ...

    def tally(self) -> dict[tuple[Sid, Verdict], int]:
        """How many schedules of each service have which verdict; what none has is absent."""

    def compared_refresh(self) -> str:
        """Which refresh of the old system was compared last, in its own words; "" before the first."""

    def record_compared_refresh(self, refreshed_at: str) -> None: ...
