"""What the full passes and timed workflows did last, so that operators, alarms and metrics can ask."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class PassName(StrEnum):
    """The workflows that run on a timer or on demand, each over much or all of what there is."""

    COLDSTART = "coldstart"
    COLLECTION = "collection"
    RECONCILIATION = "reconciliation"
    PARITY = "parity"
    RETENTION = "retention"
    WATCH = "watch"


@dataclass(frozen=True, slots=True)
class PassReport:
    """One finished pass. ``counts``: what it found and did, by name. ``problem``: why it failed, "" if it did not."""

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
    """What is remembered of one kind of pass: its latest report, the latest that succeeded, and totals."""

    latest: PassReport
    latest_success: PassReport | None
    runs: int
    failures: int
    seconds: float


class PassStore(Protocol):
    """Remembers every kind of pass; the reports themselves are kept only as far as the latest."""

    def record(self, report: PassReport) -> None: ...

    def all(self) -> dict[PassName, PassRecord]:
        """What there has been of each kind; kinds that never ran are absent."""
