"""The store of incidents and notices, and the channels to operators."""

from datetime import datetime, timedelta
from typing import Protocol

from schedules_pipeline.health.incidents import Incident, IncidentChange, Notice


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


class Notifier(Protocol):
    @property
    def channel(self) -> str:
        """Its name: one word."""

    def send(self, notice: Notice) -> None:
        """Send within seconds. Raises :class:`ServiceError`, without secrets, if the notice was not accepted."""
