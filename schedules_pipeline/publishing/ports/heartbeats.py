"""Heartbeats of the processes that serve partners; the watch raises an alarm if one is missing."""

from datetime import datetime
from enum import StrEnum
from typing import Protocol


class DeliveryProcess(StrEnum):
    """A kind of process. All processes of one kind share a heartbeat."""

    DELIVERY = "delivery"
    PUSHER = "pusher"


class DeliveryHeartbeats(Protocol):
    def record(self, process: DeliveryProcess, now: datetime) -> None:
        """A round of this process has succeeded."""

    def all(self) -> dict[DeliveryProcess, datetime]:
        """The latest heartbeat of each kind that ever recorded one."""
