"""How the sources announce changes, as AWS says: attributes of queues, subscriptions, events of the bucket."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from schedules_pipeline.publishing.ports.upstream import QueueAttributes

EVENTBRIDGE = "EventBridge"
"""The target of an announcement by EventBridge, whose rules are not read."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscriber of a topic. ``endpoint``: for a queue, its ARN."""

    endpoint: str
    is_confirmed: bool


@dataclass(frozen=True, slots=True)
class Announcement:
    """One part of the bucket's notification configuration. ``target``: an ARN, or :data:`EVENTBRIDGE`."""

    target: str
    events: Sequence[str] = field(default_factory=tuple)
    prefix: str = ""
    suffix: str = ""


class Arrangement(Protocol):
    """Read when it is asked. Raises :class:`NotPermitted` without the permission to read."""

    def queue(self, name: str) -> QueueAttributes | None:
        """None if there is no such queue."""

    def subscriptions(self, topic_arn: str) -> list[Subscription]: ...

    def announcements(self) -> list[Announcement]:
        """What the bucket of schedule documents announces, and to which target."""

    def confirm(self, topic_arn: str, token: str) -> None:
        """Confirm a subscription by the token of its confirmation message."""
