"""The upstreams: the queues that announce changes, and the bucket of schedule documents."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from schedules_pipeline.domain.identifiers import ScheduleKey

MOST_RECEIVED = 10
"""Messages of one poll."""


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery from a queue. ``receipt`` deletes this delivery. ``reason``: why the intake made it a dead letter;
    empty for other messages. ``traceparent``: of the span that sent it, as W3C writes it, or "".
    """

    message_id: str
    body: str
    sent_at: datetime
    receipt: str
    deliveries: int
    reason: str = ""
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to send. ``reason``: why it is a dead letter, which the queue keeps as an attribute."""

    body: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class QueueAttributes:
    """``dead_letters_to``: the ARN of its dead-letter queue; "" without a redrive policy. ``policy``: JSON, or ""."""

    arn: str
    visibility: timedelta
    retention: timedelta
    dead_letters_to: str = ""
    receives: int = 0
    policy: str = ""


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How many messages a queue has, approximately, and its attributes if they are known."""

    waiting: int
    in_flight: int
    attributes: QueueAttributes | None = None


class MessageSource(Protocol):
    """It delivers at least once: late, twice, and out of order."""

    def receive(self, wait_seconds: int) -> list[Message]:
        """Up to :data:`MOST_RECEIVED` messages; waits for the first if the queue is empty."""

    def delete(self, messages: Sequence[Message]) -> None: ...


class NotificationQueue(MessageSource, Protocol):
    """The whole queue, which operators send to and purge."""

    def show_again(self, messages: Sequence[Message]) -> None:
        """Make received messages visible at once. If that fails, the visibility timeout does it later."""

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Send messages to this queue. Raises :class:`ServiceError` if one is not accepted; others may be sent then."""

    def purge(self) -> None:
        """Delete all waiting messages, and perhaps those that are sent in the next minute."""

    def depth(self) -> QueueDepth:
        """Approximate."""


@dataclass(frozen=True, slots=True)
class SourceObject:
    """A schedule document, without the encodings of its object. ``put_id`` differs between two puts of the same bytes.
    ``unread_bytes``: how many bytes of an oversized object were not read. ``defect``: why the content could not be
    decoded; then it is the object's.
    """

    content: bytes
    put_id: str
    unread_bytes: int = 0
    defect: str = ""


class ScheduleSource(Protocol):
    """The bucket of schedule documents, which is only read."""

    def list_keys(self) -> Iterator[ScheduleKey]:
        """Every schedule with a document; objects with other names are skipped."""

    def fetch(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, SourceObject | Exception | None]:
        """The documents, fetched in parallel: None if the source says that there is none, :class:`ServiceError` if
        it gave no answer, or one that is not its own.
        """
