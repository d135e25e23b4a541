"""The fake incident store."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from fakes.conditions import Conditions, Fake, answered, step
from schedules_pipeline.health.condition import ConditionName
from schedules_pipeline.health.incidents import Incident, IncidentChange, Notice


@dataclass(slots=True)
class _Delivery:
    channel: str
    notice: Notice
    leased_until: datetime | None = None


class FakeIncidentStore(Fake):
    """Implements :class:`IncidentStore`; also for several threads at once."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._incidents: dict[ConditionName, Incident] = {}
        self._outbox: list[_Delivery] = []
        self._since: datetime | None = None
        self._lock = Lock()

    @answered
    @step
    def latest(self) -> list[Incident]:
        return [self._incidents[name] for name in sorted(self._incidents)]

    @answered
    @step
    def change(self, change: IncidentChange, channels: tuple[str, ...]) -> bool:
        with self._lock:
            known = self._incidents.get(change.incident.name)
            if change.incident.revision != (known.revision if known else 0) + 1:
                return False
            self._incidents[change.incident.name] = change.incident
            if change.notice:
                self._outbox += [_Delivery(channel, change.notice) for channel in channels]
            return True

    @answered
    @step
    def take_notice(self, channel: str, now: datetime, lease_for: timedelta) -> Notice | None:
        with self._lock:
            first: dict[ConditionName, _Delivery] = {}
            for delivery in self._outbox:
                if delivery.channel == channel:
                    first.setdefault(delivery.notice.name, delivery)
            free = [d for d in first.values() if d.leased_until is None or d.leased_until <= now]
            if not free:
                return None
            chosen = min(free, key=lambda d: d.leased_until.timestamp() if d.leased_until else 0.0)
            chosen.leased_until = now + lease_for
            return chosen.notice

    @answered
    @step
    def confirm_delivered(self, channel: str, notice: Notice) -> None:
        with self._lock:
            self._outbox = [d for d in self._outbox if (d.channel, d.notice.id) != (channel, notice.id)]

    @answered
    @step
    def count_undelivered(self) -> int:
        return len(self._outbox)

    @answered
    @step
    def watched_since(self, now: datetime) -> datetime:
        self._since = self._since or now
        return self._since
