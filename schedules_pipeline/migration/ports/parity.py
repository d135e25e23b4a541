"""The parity report, which operators read before they switch partners: its values and its trend.

``tabulate_parity`` makes the tables, and ``render_report`` the files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.migration.ports.comparisons import Verdict


@dataclass(frozen=True, slots=True)
class Standing:
    """The verdict on one schedule now: ``NOT_COMPARABLE`` if its latest comparison is of another version.
    ``differences`` holds the first few of ``difference_count``.
    """

    key: ScheduleKey
    verdict: Verdict
    reason: str = ""
    difference_count: int = 0
    differences: tuple[tuple[str, str, str, str], ...] = ()

    @property
    def is_comparable(self) -> bool:
        return self.verdict is not Verdict.NOT_COMPARABLE


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of a group of schedules could be compared, and how many of those match.

    A suspected difference counts as compared and not as a match.
    """

    name: str
    schedules: int
    comparable: int
    matching: int

    @property
    def share(self) -> float | None:
        """The share of the comparable schedules that match; None if none is comparable."""
        return self.matching / self.comparable if self.comparable else None

    @property
    def coverage(self) -> float:
        return self.comparable / self.schedules if self.schedules else 0.0


@dataclass(frozen=True, slots=True)
class FieldTally:
    """One field of one service: how many schedules differ in it, and how many differences are kept."""

    field: str
    sid: str
    schedules: int
    differences: int


@dataclass(frozen=True, slots=True)
class Requirements:
    """The conditions for a switch: shares from 0 to 1, and the greatest age of the old system's last refresh."""

    matching_share: float
    compared_share: float
    refresh_minutes: int


@dataclass(frozen=True, slots=True)
class ParityPoint:
    """One past report in the trend."""

    at: datetime
    schedules: int
    comparable: int
    matching: int
    is_ready: bool

    @property
    def share(self) -> float | None:
        return self.matching / self.comparable if self.comparable else None


@dataclass(frozen=True, slots=True)
class ParityReport:
    """The state of all schedules at one instant. ``objections``: the reasons against a switch, one sentence each.
    ``remarks``: further facts. ``trend``: past reports, oldest first, without this one.
    """

    at: datetime
    requirements: Requirements
    overall: Tally
    verdicts: Mapping[Verdict, int]
    objections: tuple[str, ...]
    remarks: tuple[str, ...]
    refreshed_at: str
    compared_refresh: str
    by_service: tuple[Tally, ...]
    by_date: tuple[Tally, ...]
    by_field: tuple[FieldTally, ...]
    reasons: tuple[tuple[str, int], ...]
    worst: tuple[Standing, ...]
    only_ours: tuple[ScheduleKey, ...]
    only_theirs: tuple[ScheduleKey, ...]
    standings: tuple[Standing, ...]
    trend: tuple[ParityPoint, ...]

    @property
    def is_ready(self) -> bool:
        return not self.objections

    @property
    def point(self) -> ParityPoint:
        counts = self.overall
        return ParityPoint(self.at, counts.schedules, counts.comparable, counts.matching, self.is_ready)

    @property
    def headline(self) -> str:
        counts = self.overall
        share = "nothing was compared" if counts.share is None else _matching(counts)
        wanted = f"threshold {render_share(self.requirements.matching_share)}"
        return f"{'ready to switch' if self.is_ready else 'not ready'}: {share}; {wanted}"


def percent(share: float) -> float:
    """With three decimals, never rounded up."""
    return int(share * 100_000 + 1e-6) / 1_000


def render_share(share: float) -> str:
    """As a percentage that never rounds up: only all is 100 %."""
    return f"{int(share * 10_000 + 1e-6) / 100:.2f} %" if share < 1 else "100 %"


def _matching(counts: Tally) -> str:
    return f"{render_share(counts.share or 0.0)} of {counts.comparable:,} comparable schedules match"


class ParityTrendStore(Protocol):
    """The last few hundred reports."""

    def append(self, point: ParityPoint) -> None: ...

    def all(self) -> list[ParityPoint]:
        """Oldest first."""
