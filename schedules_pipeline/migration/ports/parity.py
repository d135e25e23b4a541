"""How all schedules stand against the old system's: the report that is read before partners are switched.

Belongs here: the report's values, what remembers past reports, and where the report's files go.
Does not belong here: how it is tabulated (``workflows.report_parity``) and how it looks
(``formats.parity_report``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.migration.ports.comparisons import Verdict


@dataclass(frozen=True, slots=True)
class Standing:
    """How one schedule stands now. ``NOT_COMPARABLE`` where its latest comparison says nothing of the
    version that is there; ``differences`` holds the first few of the count.
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

    A suspected difference counts as compared and not as a match: a report never looks better than it is.
    """

    name: str
    schedules: int
    comparable: int
    matching: int

    @property
    def share(self) -> float | None:
        """Of those that could be compared; None where there was none."""
        return self.matching / self.comparable if self.comparable else None

    @property
    def coverage(self) -> float:
        """The share of all that could be compared."""
        return self.comparable / self.schedules if self.schedules else 0.0


@dataclass(frozen=True, slots=True)
class FieldTally:
    """One field of one service: in how many schedules it differs, and how many differences are known."""

    field: str
    sid: str
    schedules: int
    differences: int


@dataclass(frozen=True, slots=True)
class Requirements:
    """What has to hold before partners may be switched: shares from 0 to 1, and how old the old system's
    latest refresh may be.
    """

    matching_share: float
    compared_share: float
    refresh_minutes: int


@dataclass(frozen=True, slots=True)
class ParityPoint:
    """One past report, as the trend remembers it."""

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
    """Everything at one instant. ``objections``: why partners should not be switched, a sentence each;
    none where they may be. ``remarks``: what a reader should know besides. ``trend``: past reports, the
    oldest first, without this one.
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
        """What the trend remembers of it."""
        counts = self.overall
        return ParityPoint(self.at, counts.schedules, counts.comparable, counts.matching, self.is_ready)

    @property
    def headline(self) -> str:
        """The verdict in one line."""
        counts = self.overall
        share = "nothing was compared" if counts.share is None else _matching(counts)
        wanted = f"threshold {render_share(self.requirements.matching_share)}"
        return f"{'ready to switch' if self.is_ready else 'not ready'}: {share}; {wanted}"


def percent(share: float) -> float:
    """To three decimals, never rounded up."""
    return int(share * 100_000 + 1e-6) / 1_000


def render_share(share: float) -> str:
    """As a percentage that never rounds up: 100 % is said of all and of nothing less."""
    return f"{int(share * 10_000 + 1e-6) / 100:.2f} %" if share < 1 else "100 %"


def _matching(counts: Tally) -> str:
    return f"{render_share(counts.share or 0.0)} of {counts.comparable:,} comparable schedules match"


class ParityTrendStore(Protocol):
    """The last few hundred reports, a small record each."""

    def append(self, point: ParityPoint) -> None: ...

    def all(self) -> list[ParityPoint]:
        """The oldest first."""


class ReportStore(Protocol):
    """Where the files of reports are put; only the latest reports stay there."""

    def put(self, at: datetime, files: Mapping[str, bytes]) -> Mapping[str, Path]:
        """Write the files of one report, by the end of their name (``html``); answers with their paths."""

    def reports(self) -> Sequence[Path]:
        """What is on the shelf, the oldest first."""
