"""The stores and sources of the migration: comparisons, the parity report, the switch, the legacy keyspace."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.maintenance.ports import MaintenanceSources, MaintenanceStore


class Verdict(StrEnum):
    MATCHES = "matches"
    DIFFERS = "differs"
    SUSPECTED = "suspected"
    HELD = "held"
    NOT_COMPARABLE = "not comparable yet"

    @classmethod
    def _missing_(cls, value: object) -> "Verdict | None":
        """A verdict that a newer release has added says nothing that this one could count."""
        return cls.NOT_COMPARABLE if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison of version ``seq`` of a schedule with the legacy document of ``generated_at``.

    ``SUSPECTED``: they differ, but a change may be on its way. It becomes a difference if the next refresh shows it
    again while the version is unchanged. ``HELD``: the pipeline holds back what the source says, so the two sides need
    not be equal. ``differences`` holds the first few of ``difference_count``. ``is_lasting``: not comparable, although
    the old system has begun and ended a refresh since the version was published.
    """

    seq: int
    verdict: Verdict
    generated_at: str
    reason: str = ""
    difference_count: int = 0
    differences: tuple[tuple[str, str, str, str], ...] = ()
    is_lasting: bool = False


@dataclass(frozen=True, slots=True)
class DifferenceSummary:
    """``examples``: a few of the schedules that differ, with the number of their differences."""

    compared: int = 0
    differing: int = 0
    examples: Mapping[ScheduleKey, int] = field(default_factory=dict)


NOTHING_DIFFERS = DifferenceSummary()


class ComparisonStore(Protocol):
    """The latest comparison of every schedule."""

    def keep(self, comparisons: Mapping[ScheduleKey, Comparison]) -> None: ...

    def forget(self, keys: Sequence[ScheduleKey]) -> None:
        """Delete the comparisons of schedules that neither side has any more."""

    def find(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, Comparison]:
        """The comparisons of these schedules; schedules without one are absent."""

    def keys(self) -> set[ScheduleKey]:
        """The schedules that have a comparison."""

    def all(self) -> dict[ScheduleKey, Comparison]: ...

    def tally(self) -> dict[tuple[Sid, Verdict], int]:
        """The number of schedules by service and verdict; zeros are absent."""

    def differing(self, examples: int) -> DifferenceSummary:
        """Counts, and at most ``examples`` of the schedules that differ: what a reader that asks often may read."""

    def compared_refresh(self) -> str:
        """The refresh that was compared last, as the old system wrote it; "" before the first."""

    def record_compared_refresh(self, refreshed_at: str) -> None: ...


class LegacyKeyspace(Protocol):
    """The documents of the old system. Read-only."""

    def read(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, bytes]:
        """The legacy documents; schedules without one are absent."""

    def list_keys(self) -> Iterator[ScheduleKey]:
        """Every schedule with a legacy document. Other keys are skipped."""

    def refreshed_at(self) -> str:
        """When the last refresh of the old system ended, as it wrote it; "" before the first."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The verdict on one schedule now: ``HELD`` while it is under a hold, ``NOT_COMPARABLE`` if its latest comparison
    is of another version.
    ``differences`` holds the first few of ``difference_count``.
    """

    key: ScheduleKey
    verdict: Verdict
    reason: str = ""
    difference_count: int = 0
    differences: tuple[tuple[str, str, str, str], ...] = ()

    @property
    def is_comparable(self) -> bool:
        return self.verdict not in (Verdict.HELD, Verdict.NOT_COMPARABLE)


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
    held: tuple[Standing, ...]
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


class ServedSource(StrEnum):
    """``LEGACY``: the old system's documents. ``OURS``: the schedules that the pipeline publishes."""

    LEGACY = "legacy"
    OURS = "ours"


@dataclass(frozen=True, slots=True)
class ServedState:
    """One state, and the switch that led to it. ``number`` counts the switches. It is 0 before the first, when the
    old system serves partners and ``since`` is None.

    ``parity_share``: the matching share at the time of the switch, or None. ``forced``: the operator overrode
    objections.
    """

    number: int
    source: ServedSource
    since: datetime | None
    by: str
    reason: str
    parity_share: float | None
    forced: bool


NEVER_SWITCHED = ServedState(0, ServedSource.LEGACY, None, "", "", None, forced=False)


class ServedSourceStore(Protocol):
    def current(self) -> ServedState:
        """:data:`NEVER_SWITCHED` before the first switch."""

    def switches(self) -> list[ServedState]:
        """The remembered switches, newest first."""

    def change(self, to: ServedState) -> bool:
        """Record a switch in one atomic step, if the current state has the preceding number.

        False, without a change, if another switch was recorded first. Recording the same switch again is True,
        because the first reply may have been lost.
        """

    def restore(self, switches: Sequence[ServedState], instead_of: int) -> bool:
        """Replace the whole record by these switches, newest first, in one atomic step; False, without a change, if
        the current state has another number than ``instead_of``. Repeating it is True.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationStore(MaintenanceStore):
    comparisons: ComparisonStore
    parity_trend: ParityTrendStore
    served: ServedSourceStore


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationSources(MaintenanceSources):
    legacy: LegacyKeyspace
