"""The stores of health, and the channels to operators: polls of queues, failing checks, incidents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.health.growth import MemorySample
from schedules_pipeline.health.incidents import Incident, Notice
from schedules_pipeline.push.ports import PushStore


class QueueName(StrEnum):
    """The queues of notifications, by role; their upstream names are settings."""

    SCHEDULE_EVENTS = "schedule_events"
    CATALOGUE_EVENTS = "catalogue_events"


@dataclass(frozen=True, slots=True)
class QueuePolls:
    """The latest polls of one queue; None if there was none of the kind.

    ``polled_at``: the start of the latest poll. ``empty_at``: the start of the latest poll without messages.
    ``received_sent_at``: when the oldest message of the latest poll with messages was sent.
    """

    polled_at: datetime | None = None
    empty_at: datetime | None = None
    received_sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FailedRun:
    """A job whose latest finished run failed."""

    job: str
    run_id: str
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class DagsterSnapshot:
    """What only Dagster knows, at an instant.

    ``sensors_off``: sensors of the pipeline that are switched off. ``ticked_at``: the last tick of each of the
    others that ticks every minute or more often. ``daemons``: the last heartbeat of each daemon that Dagster requires;
    None if it never had one.
    ``had_partners``: whether partners were ever seen here, as the sensor remembers outside the store. ``unheard``: by
    queue or bucket, why changes of a source do not arrive.
    """

    at: datetime
    failed_runs: tuple[FailedRun, ...] = ()
    sensors_off: tuple[str, ...] = ()
    ticked_at: Mapping[str, datetime] = field(default_factory=dict)
    daemons: Mapping[str, datetime | None] = field(default_factory=dict)
    had_partners: bool = False
    unheard: Mapping[str, str] = field(default_factory=dict)


class QueuePollStore(Protocol):
    """Written by every process that receives. The last writer of concurrent polls wins."""

    def record_poll(self, queue: QueueName, began_at: datetime, oldest_sent_at: datetime | None) -> None:
        """Record a poll; ``oldest_sent_at`` is None if it returned no message."""

    def all(self) -> dict[QueueName, QueuePolls]:
        """The polls of every queue, also of those that were never polled."""

    def announce_receiver(self, queue: QueueName, seconds: int) -> None:
        """A publisher receives from this queue, and so long no sensor does."""

    def withdraw_receiver(self, queue: QueueName) -> None:
        """The publisher receives no more. Another one announces itself again."""

    def has_receiver(self, queue: QueueName) -> bool: ...


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """``is_error``: the operator must act; otherwise the failure is a warning."""

    summary: str
    is_error: bool


@dataclass(frozen=True, slots=True)
class CheckState:
    """How many schedules fail one check, and some of these with their summary, errors first."""

    errors: int = 0
    warnings: int = 0
    examples: Mapping[ScheduleKey, str] = field(default_factory=dict)

    @property
    def failing(self) -> int:
        return self.errors + self.warnings


class FailingCheckStore(Protocol):
    """Failing checks by schedule and name. Dagster cannot be asked for the latest evaluation of every partition."""

    def record(self, outcomes: Mapping[tuple[ScheduleKey, str], FailedCheck | None]) -> None:
        """Record evaluations: None for a check that passed."""

    def all(self) -> dict[tuple[ScheduleKey, str], str]:
        """The summaries of those that fail as an error."""

    def find(self, check: str, keys: Sequence[ScheduleKey]) -> set[ScheduleKey]:
        """Those of these schedules whose check failed last, as an error."""

    def states(self, checks: Sequence[str]) -> dict[str, CheckState]:
        """The state of each of these checks."""


class IncidentStore(Protocol):
    """The latest incident of every condition. The watch that leads writes it."""

    def lead(self, check_id: str, lease_for: timedelta) -> bool:
        """Acquire the lease of the watch for one check. False if another check holds it."""

    def release(self, check_id: str) -> None:
        """End the lease. It does not affect the lease of another check, which has it if this one was too slow."""

    def latest(self) -> list[Incident]:
        """The latest incident of every condition that was ever found, including those that are over."""

    def save(self, incidents: Sequence[Incident]) -> None: ...

    def begin_watch(self, now: datetime) -> None:
        """Record the time of the first check ever; later calls change nothing."""

    def watched_since(self) -> datetime | None:
        """The time of the first check ever."""


class DagsterStore(Protocol):
    """What the sensor ``watch`` has found in Dagster, so that every process can judge it."""

    def record(self, snapshot: DagsterSnapshot) -> None: ...

    def latest(self) -> DagsterSnapshot | None: ...


class MemoryHistory(Protocol):
    """The latest samples of Redis' memory, :data:`~schedules_pipeline.health.growth.SAMPLES_KEPT` of them."""

    def add(self, sample: MemorySample) -> None: ...

    def all(self) -> list[MemorySample]:
        """Latest first."""


class Notifier(Protocol):
    @property
    def channel(self) -> str:
        """Its name: one word."""

    def send(self, notice: Notice) -> None:
        """Send within seconds. Raises :class:`ServiceError`, without secrets, if the notice was not accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthStore(PushStore):
    dagster: DagsterStore
    failing_checks: FailingCheckStore
    incidents: IncidentStore
    queue_polls: QueuePollStore
    memory_history: MemoryHistory
