"""The results of full passes and timed workflows, for operators, alarms and metrics."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class PassName(StrEnum):
    """Workflows over much or all of the stored data, on a timer or on demand."""

    COLDSTART = "coldstart"
    COLLECTION = "collection"
    RECONCILIATION = "reconciliation"
    PARITY = "parity"
    RETENTION = "retention"
    WATCH = "watch"


@dataclass(frozen=True, slots=True)
class PassReport:
    """One finished pass. ``counts``: its results by name. ``problem``: why it failed, or ""."""

    name: PassName
    began_at: datetime
    ended_at: datetime
    counts: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""

    @property
    def succeeded(self) -> bool:
        return not self.problem

    @property
    def seconds(self) -> float:
        return (self.ended_at - self.began_at).total_seconds()


@dataclass(frozen=True, slots=True)
class PassRecord:
    """The latest report of one pass, the latest that succeeded, and totals over all runs."""

    latest: PassReport
    latest_success: PassReport | None
    runs: int
    failures: int
    seconds: float


class PassStore(Protocol):
    def record(self, report: PassReport) -> None: ...

    def all(self) -> dict[PassName, PassRecord]:
        """One record for each pass that has ever run."""
