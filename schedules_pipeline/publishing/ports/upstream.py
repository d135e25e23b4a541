"""The outside: the queues that announce changes, the schedule documents, and the old system's output."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from schedules_pipeline.domain.identifiers import ScheduleKey


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery from a queue. ``receipt`` is what deleting it needs; it is good for this delivery."""

    message_id: str
    body: str
    sent_at: datetime
    receipt: str
    deliveries: int


@dataclass(frozen=True, slots=True)
class QueueDepth:
    waiting: int
    in_flight: int


class NotificationQueue(Protocol):
    """At least once, late, twice and out of order."""

    def receive(self, wait_seconds: int) -> list[Message]:
        """Up to ten messages: at once where there are some, else those that come within the wait."""

    def delete(self, messages: Sequence[Message]) -> None: ...

    def show_again(self, messages: Sequence[Message]) -> None:
        """Make received messages visible at once, rather than after their time. One for which that fails is
        visible by itself soon.
        """

    def send(self, bodies: Sequence[str]) -> None:
        """Put messages onto this queue, as a replay of dead letters does."""

    def purge(self) -> None:
        """Throw away everything that waits. For up to a minute, what is sent meanwhile may go as well."""

    def depth(self) -> QueueDepth:
        """Approximate, as such queues are."""


@dataclass(frozen=True, slots=True)
class SourceObject:
    """A schedule document as it was found. ``put_id`` tells one put from the next, also where both put
    the same bytes. ``unread_bytes``: how much more there is of a document that is larger than accepted.
    """

    content: bytes
    put_id: str
    unread_bytes: int = 0


class ScheduleSource(Protocol):
    """The bucket of schedule documents; only ever read."""

    def list_keys(self) -> Iterator[ScheduleKey]:
        """Every schedule that has a document; objects with other names are passed over."""

    def fetch(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, SourceObject | Exception | None]:
        """The documents, fetched side by side: None where there is none (any more), and the error where
        one could not be had, so that it does not hold up the others.
        """
