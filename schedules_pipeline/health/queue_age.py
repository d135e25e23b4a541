"""Estimates how long the oldest message of a queue has waited, from the recorded polls of the intake.

SQS reports this age only through CloudWatch, minutes late and not in every region.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.health.ports.queue_polls import QueueName, QueuePolls, QueuePollStore
from schedules_pipeline.maintenance.ports import MaintenanceSources
from schedules_pipeline.publishing.ports.upstream import Message, NotificationQueue, QueueDepth

LONGEST_KEPT = timedelta(days=14)
"""The longest time for which SQS keeps a message."""


def queues_by_name(sources: MaintenanceSources) -> dict[QueueName, NotificationQueue]:
    return {
        QueueName.SCHEDULE_EVENTS: sources.schedule_queue,
        QueueName.CATALOGUE_EVENTS: sources.catalogue_queue,
    }


def oldest_message_age(polls: QueuePolls, depth: QueueDepth, now: datetime) -> timedelta:
    """How long the oldest waiting message has waited, at most; 0 if none waits.

    All waiting messages came after the latest poll without messages, so the time since then is an upper bound.
    Under a load without empty polls, the age of the oldest message of the latest poll stands for it, because SQS
    delivers roughly the oldest first. For a queue that was never polled it is :data:`LONGEST_KEPT`.

    A message that was delivered, not handled, and waits again may be older. It is counted as *in flight* in between,
    and as a dead letter in the end.
    """
    if depth.waiting == 0:
        return timedelta(0)
    known = [instant for instant in (polls.empty_at, polls.received_sent_at) if instant is not None]
    if not known:
        return LONGEST_KEPT
    return min(LONGEST_KEPT, max(timedelta(0), now - max(known)))


class NotedQueue:
    """A queue whose polls are noted, whoever receives; otherwise the queue that it wraps.

    Implements :class:`NotificationQueue`.
    """

    def __init__(
        self, queue: NotificationQueue, name: QueueName, notes: QueuePollStore, clock: Clock
    ) -> None:
        self._queue = queue
        self._name = name
        self._notes = notes
        self._clock = clock

    def receive(self, wait_seconds: int) -> list[Message]:
        """The time before the poll is noted, so that what came during it counts as having come after."""
        began_at = self._clock()
        messages = self._queue.receive(wait_seconds)
        # A poll that does not wait asks only some of the servers of a queue: its silence proves nothing.
        if messages or wait_seconds > 0:
            self._notes.record_poll(self._name, began_at, min((m.sent_at for m in messages), default=None))
        return messages

    def delete(self, messages: Sequence[Message]) -> None:
        self._queue.delete(messages)

    def show_again(self, messages: Sequence[Message]) -> None:
        self._queue.show_again(messages)

    def send(self, bodies: Sequence[str]) -> None:
        self._queue.send(bodies)

    def purge(self) -> None:
        self._queue.purge()

    def depth(self) -> QueueDepth:
        return self._queue.depth()
