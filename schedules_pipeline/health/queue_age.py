"""How long the oldest message of a queue has been waiting, from what the intake notes of its polls.

SQS itself tells this only through CloudWatch, minutes late and not everywhere. The notes tell it at once.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.health.ports.queue_polls import QueueName, QueuePolls, QueuePollStore
from schedules_pipeline.publishing.ports.upstream import Message, NotificationQueue, QueueDepth

LONGEST_KEPT = timedelta(days=14)
"""No queue of SQS keeps a message for longer."""


def oldest_message_age(notes: QueuePolls, depth: QueueDepth, now: datetime) -> timedelta:
    """How long the oldest message has been waiting that nobody has received yet; 0 where nothing waits.

    Whatever waits came after the latest poll that brought nothing, so the time since then is an upper bound.
    Under a load that never lets a poll come back empty, the age of the oldest message that was received last
    stands for it, since such queues give out roughly the oldest first. Where nobody has ever polled, it is as
    long as a queue keeps a message.

    A message that was received, not handled, and waits again may be older: it shows as *in flight* in
    between, and as a dead letter in the end.
    """
    if depth.waiting == 0:
        return timedelta(0)
    known = [instant for instant in (notes.empty_at, notes.received_sent_at) if instant is not None]
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
