"""Why a schedule is rebuilt."""

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
    UPGRADE = "upgrade"
    HOLD = "hold"
    OTHER = "other"
    """Written by a newer release under a name that this one does not know."""

    @classmethod
    def _missing_(cls, value: object) -> "Origin | None":
        return cls.OTHER if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class Cause:
    """What requested a rebuild. ``event_id``: the id of the message, or of the run. ``subject``: the pid or schedule
    key that it names. ``notified_at``: when the upstream sent the notification. ``changed``: the fields of the
    catalogue item that differ, as far as known.
    """

    event_id: str
    origin: Origin
    subject: str
    notified_at: datetime
    changed: tuple[str, ...] = ()
