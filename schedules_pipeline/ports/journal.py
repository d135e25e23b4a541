"""What operators want to know besides the schedules: what was refused, what was counted, how we compare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from schedules_pipeline.domain.identifiers import ScheduleKey


@dataclass(frozen=True, slots=True)
class Refusal:
    """Input that was kept aside. ``digest`` and ``put_id`` identify the refused document, so that a second
    identical delivery of a shrunken one can confirm it; ``excerpt`` is its beginning.
    """

    reason: str
    refused_at: datetime
    digest: str
    put_id: str
    excerpt: str


class RefusedInput(Protocol):
    """The latest refusal of every subject: a schedule key, a pid, or a message id."""

    def keep(self, refusals: Mapping[str, Refusal]) -> None: ...

    def find(self, subjects: Sequence[str]) -> dict[str, Refusal]: ...

    def forget(self, subjects: Sequence[str]) -> None:
        """Something acceptable has come since."""

    def all(self) -> dict[str, Refusal]: ...


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


class Comparisons(Protocol):
    """The latest comparison of every schedule."""

    def keep(self, comparisons: Mapping[ScheduleKey, Comparison]) -> None: ...

    def all(self) -> dict[ScheduleKey, Comparison]: ...

    def compared_refresh(self) -> str:
        """Which refresh of the old system was compared last, in its own words; "" before the first."""

    def note_compared_refresh(self, refreshed_at: str) -> None: ...


class Counters(Protocol):
    """Totals by name, since the keyspace began; a redelivered message counts twice."""

    def add(self, amounts: Mapping[str, int]) -> None: ...

    def all(self) -> dict[str, int]: ...
