"""The latest polls of the upstream queues, from which the age of the oldest message is estimated."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


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
