"""When the processes that serve partners were last at work.

They are not Dagster's, and nobody asks them: each leaves a pulse, and the watch misses it.
"""

from datetime import datetime
from enum import StrEnum
from typing import Protocol


class DeliveryProcess(StrEnum):
    """A kind of process; of one there may be several, which share a pulse."""

    DELIVERY = "delivery"
    PUSHER = "pusher"


class DeliveryHeartbeats(Protocol):
    def record(self, process: DeliveryProcess, now: datetime) -> None:
        """A round of one of these processes has gone well."""

    def all(self) -> dict[DeliveryProcess, datetime]:
        """The latest pulse of each kind that ever left one."""
