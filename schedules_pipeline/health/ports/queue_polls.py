"""What the intake last saw of its queues, so that anybody can tell how long a message waits."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class QueueName(StrEnum):
    """The queues that notifications are taken in from, whatever they are called at the upstream."""

    SCHEDULE_EVENTS = "schedule_events"
    CATALOGUE_EVENTS = "catalogue_events"


@dataclass(frozen=True, slots=True)
class QueuePolls:
    """The latest polls of one queue; None where there was none of the kind.

    ``polled_at``: when any poll began. ``empty_at``: when one began that brought nothing. ``received_sent_at``:
    when the oldest message was sent of those that the latest poll that brought any brought.
    """

    polled_at: datetime | None = None
    empty_at: datetime | None = None
    received_sent_at: datetime | None = None


class QueuePollStore(Protocol):
    """Kept by every process that receives; of two polls at the same time either may be the latest."""

    def record_poll(self, queue: QueueName, began_at: datetime, oldest_sent_at: datetime | None) -> None:
        """A poll was answered; ``oldest_sent_at`` is None where it brought nothing."""

    def all(self) -> dict[QueueName, QueuePolls]:
        """The notes of every queue, empty ones where it was never polled."""
