"""Who remembers the alarms, and who is told of them."""

from datetime import datetime, timedelta
from typing import Protocol

from schedules_pipeline.health.incidents import Incident, IncidentChange, Notice


class IncidentStore(Protocol):
    """The latest incident of every alarm, and the notices that are still to be delivered.

    Any number of watchers may use it at once. A notice is booked in the same atomic step as the change of the
    incident that it tells of, once for each channel; so neither happens without the other.
    """

    def latest(self) -> list[Incident]:
        """The latest of every alarm that there ever was, those that are over included."""

    def change(self, change: IncidentChange, channels: tuple[str, ...]) -> bool:
        """Put the incident in its place and book its notice for these channels; False, and nothing is done,
        where another watcher has changed that incident since it was read.
        """

    def take_notice(self, channel: str, now: datetime, lease_for: timedelta) -> Notice | None:
        """A notice to be delivered over this channel; None where nothing is, or others are at it. Nobody else
        gets it until the lease is over. Those of one alarm come in their order, each when the one before it was
        delivered; of several alarms those come first that were not tried yet.
        """

    def confirm_delivered(self, channel: str, notice: Notice) -> None:
        """It need not be delivered over this channel again."""

    def count_undelivered(self) -> int:
        """How many deliveries are still to be made, over all channels."""

    def watched_since(self, now: datetime) -> datetime:
        """When somebody first looked; that is now, if nobody has."""


class Notifier(Protocol):
    """One way to tell somebody."""

    @property
    def channel(self) -> str:
        """Its name: a word."""

    def send(self, notice: Notice) -> None:
        """Raise :class:`ServiceError` where it was not taken; the error tells no secret. Ends within seconds."""
