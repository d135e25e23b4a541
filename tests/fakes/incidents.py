"""The fake incident store, and the fake store of what the watch found in Dagster."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from fakes.conditions import Conditions, Fake, FakeClock, answered, step
from schedules_pipeline.health.condition import ConditionName
from schedules_pipeline.health.incidents import Incident
from schedules_pipeline.health.ports import DagsterSnapshot


class FakeIncidentStore(Fake):
    """Implements :class:`IncidentStore`."""

    def __init__(self, conditions: Conditions, clock: FakeClock) -> None:
        super().__init__(conditions)
        self._clock = clock
        self._incidents: dict[ConditionName, Incident] = {}
        self._leader, self._leads_until = "", clock()
        self._since: datetime | None = None

    @answered
    @step
    def lead(self, check_id: str, lease_for: timedelta) -> bool:
        if self._leader not in ("", check_id) and self._clock() < self._leads_until:
            return False
        self._leader, self._leads_until = check_id, self._clock() + lease_for
        return True

    @answered
    @step
    def release(self, check_id: str) -> None:
        if self._leader == check_id:
            self._leader = ""

    @answered
    @step
    def latest(self) -> list[Incident]:
        return [self._incidents[name] for name in sorted(self._incidents)]

    @answered
    @step
    def save(self, incidents: Sequence[Incident]) -> None:
        self._incidents |= {each.name: each for each in incidents}

    @answered
    @step
    def begin_watch(self, now: datetime) -> None:
        self._since = self._since or now

    @answered
    @step
    def watched_since(self) -> datetime | None:
        return self._since


class FakeDagsterStore(Fake):
    """Implements :class:`DagsterStore`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._latest: DagsterSnapshot | None = None

    @answered
    @step
    def record(self, snapshot: DagsterSnapshot) -> None:
        self._latest = snapshot

    @answered
    @step
    def latest(self) -> DagsterSnapshot | None:
        return self._latest
