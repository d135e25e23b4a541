"""Totals and durations over all processes, since the keyspace began."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol

from schedules_pipeline.domain.causes import Origin

DURATION_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
"""Seconds, ascending: a duration counts under the first bound that it does not exceed."""


class Counter(StrEnum):
    """What is counted. The values are stored, so their spelling stays."""

    SCHEDULE_MESSAGES_RECEIVED = "schedule messages received"
    SCHEDULE_MESSAGES_REJECTED = "schedule messages refused"
    SCHEDULE_MESSAGES_IGNORED = "schedule messages ignored"
    SCHEDULE_PUTS = "schedule puts"
    SCHEDULE_REMOVALS = "schedule removals"
    SCHEDULE_DOCUMENTS_REJECTED = "schedule documents refused"
    SCHEDULE_DOCUMENTS_HELD = "schedule documents held"
    SCHEDULE_INTAKES_FAILED = "schedule intakes failed"
    CATALOGUE_MESSAGES_RECEIVED = "catalogue messages received"
    CATALOGUE_MESSAGES_REJECTED = "catalogue messages refused"
    CATALOGUE_UPDATES = "catalogue updates"
    CATALOGUE_DELETES = "catalogue deletes"
    CATALOGUE_UNREFERENCED = "catalogue ignored, nobody refers to it"
    CATALOGUE_UNCHANGED = "catalogue ignored, no used field changed"
    CATALOGUE_ABSENT = "catalogue ignored, no document"
    CATALOGUE_DOCUMENTS_REJECTED = "catalogue documents refused"
    CATALOGUE_INTAKES_FAILED = "catalogue intakes failed"
    SCHEDULES_PUBLISHED = "schedules published"
    SCHEDULES_UNCHANGED = "schedules unchanged"
    SCHEDULES_SUPERSEDED = "schedules superseded"
    BATCHES_FAILED = "batches failed"
    REJECTED_MESSAGES_EVICTED = "rejected messages evicted"
    REJECTED_ITEMS_EVICTED = "rejected items evicted"
    ALARM_NOTICES_SENT = "alarm notices sent"
    ALARM_NOTICES_FAILED = "alarm notices not taken"


class Timer(StrEnum):
    """What is timed. The values are stored, so their spelling stays."""

    SCHEDULE_INTAKE = "schedule intake"
    CATALOGUE_INTAKE = "catalogue intake"
    BATCH = "batch"
    PUBLISHED_AFTER_SCHEDULE = "published after schedule"
    PUBLISHED_AFTER_CATALOGUE = "published after catalogue"
    PUBLISHED_AFTER_OPERATOR = "published after operator"
    PUBLISHED_AFTER_COLDSTART = "published after coldstart"
    PUBLISHED_AFTER_RETENTION = "published after retention"
    PUBLISHED_AFTER_RECONCILIATION = "published after reconciliation"
    PUBLISHED_AFTER_UPGRADE = "published after upgrade"
    PUBLISHED_AFTER_HOLD = "published after hold"
    PUBLISHED_AFTER_OTHER = "published after other"

    @classmethod
    def published_after(cls, origin: Origin) -> "Timer":
        """The time from the oldest notification of this origin to the publication."""
        return cls(f"published after {origin}")


NO_DURATIONS: Final[Mapping[Timer, Sequence[float]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Durations:
    """All durations of one timer. ``counts``: how many fall under each of :data:`DURATION_BOUNDS`, and last how
    many exceed every bound. ``seconds``: their sum.
    """

    counts: tuple[int, ...] = (0,) * (len(DURATION_BOUNDS) + 1)
    seconds: float = 0.0


class CounterStore(Protocol):
    """A redelivered message counts twice. Counters and timers of other releases are left out."""

    def add(
        self, amounts: Mapping[Counter, int], durations: Mapping[Timer, Sequence[float]] = NO_DURATIONS
    ) -> None:
        """Add amounts and durations (in seconds) in one round trip."""

    def all(self) -> dict[Counter, int]: ...

    def durations(self) -> dict[Timer, Durations]: ...
