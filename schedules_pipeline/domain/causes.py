"""Why a schedule is rebuilt: where the request came from, and what it was about."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Origin(StrEnum):
    """Why a schedule is to be rebuilt."""

    SCHEDULE = "schedule"
    CATALOGUE = "catalogue"
    OPERATOR = "operator"
    COLDSTART = "coldstart"
    RETENTION = "retention"
    RECONCILIATION = "reconciliation"


@dataclass(frozen=True, slots=True)
class Cause:
    """What asked for a rebuild. ``event_id`` is the message's id, or the run's; ``subject`` the pid or
    schedule key it was about; ``notified_at`` when the upstream's notification was sent; ``changed`` the
    catalogue item's fields that were different, as far as known.
    """

    event_id: str
    origin: Origin
    subject: str
    notified_at: datetime
    changed: tuple[str, ...] = ()
