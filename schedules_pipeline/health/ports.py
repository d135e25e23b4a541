"""The stores of health, and the channels to operators: polls of queues, failing checks, incidents."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.health.growth import MemorySample
from schedules_pipeline.health.incidents import Incident, IncidentChange, Notice
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


class QueuePollStore(Protocol):
    """Written by every process that receives. The last writer of concurrent polls wins."""

    def record_poll(self, queue: QueueName, began_at: datetime, oldest_sent_at: datetime | None) -> None:
        """Record a poll; ``oldest_sent_at`` is None if it returned no message."""

    def all(self) -> dict[QueueName, QueuePolls]:
        """The polls of every queue, also of those that were never polled."""


class FailingCheckStore(Protocol):
    """Failing checks by schedule and name. Dagster cannot be asked for the latest evaluation of every partition."""

    def record(self, outcomes: Mapping[tuple[ScheduleKey, str], str | None]) -> None:
        """Record evaluations: the summary of each check that fails as an error, None for any other result."""

    def all(self) -> dict[tuple[ScheduleKey, str], str]: ...


class IncidentStore(Protocol):
    """The latest incident of every alarm, and the notices still to be delivered.

    Several watchers may use it at once. A change and its notice, one for each channel, are recorded in one atomic
    step.
    """

    def latest(self) -> list[Incident]:
        """The latest incident of every alarm that was ever found, including those that are over."""

    def change(self, change: IncidentChange, channels: tuple[str, ...]) -> bool:
        """Store the incident and its notice for these channels.

        False, without a change, if another watcher has changed that incident since it was read.
        """

    def take_notice(self, channel: str, now: datetime, lease_for: timedelta) -> Notice | None:
        """Lease a notice for delivery over this channel; None if there is none or all are leased.

        The notices of one alarm come in order, each after the previous one was acknowledged. Between alarms, notices
        that were not yet tried come first.
        """

    def confirm_delivered(self, channel: str, notice: Notice) -> None: ...

    def count_undelivered(self) -> int:
        """The number of deliveries still to be made, over all channels."""

    def watched_since(self, now: datetime) -> datetime:
        """The time of the first check ever, which is ``now`` if there was none."""


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
    failing_checks: FailingCheckStore
    incidents: IncidentStore
    queue_polls: QueuePollStore
    memory_history: MemoryHistory
