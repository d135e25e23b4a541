"""What operators want to know besides the schedules: what was refused, what was counted, how we compare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol

from schedules_pipeline.domain.identifiers import ScheduleKey, Sid


@dataclass(frozen=True, slots=True)
class Refusal:
    """Input that was kept aside. ``digest`` and ``put_id`` identify the refused document, so that a second
    identical delivery of a shrunken one can confirm it; ``excerpt`` is its beginning. ``confirmed_digest``
    is the digest of a shrunken one that an operator has confirmed.
    """

    reason: str
    refused_at: datetime
    digest: str
    put_id: str
    excerpt: str
    confirmed_digest: str = ""


class RefusedInput(Protocol):
    """The latest refusal of every subject: a schedule key, a pid, or a message id."""

    def keep(self, refusals: Mapping[str, Refusal]) -> None: ...

    def find(self, subjects: Sequence[str]) -> dict[str, Refusal]: ...

    def forget(self, subjects: Sequence[str]) -> None:
        """Something acceptable has come since."""

    def count(self) -> int:
        """How many subjects there are refusals of."""

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

    def forget(self, keys: Sequence[ScheduleKey]) -> None:
        """Neither side has them any more."""

    def find(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, Comparison]:
        """Those of these schedules, of those that have one."""

    def all(self) -> dict[ScheduleKey, Comparison]: ...

    def tally(self) -> dict[tuple[Sid, Verdict], int]:
        """How many schedules of each service have which verdict; what none has is absent."""

    def compared_refresh(self) -> str:
        """Which refresh of the old system was compared last, in its own words; "" before the first."""

    def note_compared_refresh(self, refreshed_at: str) -> None: ...


DURATION_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
"""Seconds, ascending: durations are counted by the first of these that they do not exceed."""


NO_DURATIONS: Final[Mapping[str, Sequence[float]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Durations:
    """How long something took, all times that it was done. ``counts``: how often, for each of
    :data:`DURATION_BOUNDS`, and last how often it took longer than all of them. ``seconds``: together.
    """

    counts: tuple[int, ...] = (0,) * (len(DURATION_BOUNDS) + 1)
    seconds: float = 0.0


class FailingChecks(Protocol):
    """The checks that fail just now as errors, by schedule and name: Dagster has every evaluation that there
    ever was, but nobody can ask it for the latest of each partition at once.
    """

    def note(self, outcomes: Mapping[tuple[ScheduleKey, str], str | None]) -> None:
        """What was evaluated: the summary of each that fails as an error, None for each that does not."""

    def all(self) -> dict[tuple[ScheduleKey, str], str]: ...


class Counters(Protocol):
    """Totals by name, since the keyspace began, of all processes; a redelivered message counts twice."""

    def add(
        self, amounts: Mapping[str, int], durations: Mapping[str, Sequence[float]] = NO_DURATIONS
    ) -> None:
        """Count; ``durations`` are the seconds that something took, each time that it was done. All at once,
        so that measuring adds nothing to what counting costs.
        """

    def all(self) -> dict[str, int]: ...

    def durations(self) -> dict[str, Durations]: ...
