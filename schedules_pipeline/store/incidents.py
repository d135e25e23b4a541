"""Incidents, and what the watch found in Dagster, on Redis."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from schedules_pipeline.documents.record import Record
from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.health.incidents import Incident
from schedules_pipeline.health.ports import DagsterSnapshot
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.lease import RedisLease
from schedules_pipeline.store.link import RedisLink

_INCIDENT = Record(Incident, "incident")
_SNAPSHOT = Record(DagsterSnapshot, "snapshot of Dagster")


class RedisIncidentStore:
    """Implements :class:`IncidentStore`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._incidents, self._since = keys.alarms("episodes"), keys.alarms("watched_since")
        self._lease = RedisLease(link, keys.alarms("lease"))

    def lead(self, check_id: str, lease_for: timedelta) -> bool:
        return self._lease.acquire(check_id, lease_for)

    def release(self, check_id: str) -> None:
        self._lease.release(check_id)

    def latest(self) -> list[Incident]:
        """Records that cannot be decoded are left out: a newer release may have conditions of its own.

        Release 0.2 put a revision and a newline before the record.
        """
        rows = self._link.call("HGETALL", self._incidents)
        found = []
        for _, value in sorted(rows.items()):
            with suppress(InvalidRecord):
                found.append(_INCIDENT.parse(value[value.find(b"{") :]))
        return found

    def save(self, incidents: Sequence[Incident]) -> None:
        self._link.run(
            [("HSET", self._incidents, each.name.value, _INCIDENT.render(each)) for each in incidents]
        )

    def begin_watch(self, now: datetime) -> None:
        self._link.call("SET", self._since, now.isoformat(), "NX")

    def watched_since(self) -> datetime | None:
        written = self._link.call("GET", self._since)
        return None if written is None else datetime.fromisoformat(written.decode())


class RedisDagsterStore:
    """Implements :class:`DagsterStore`. A record that cannot be decoded counts as none."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._key = keys.journal("dagster")

    def record(self, snapshot: DagsterSnapshot) -> None:
        self._link.call("SET", self._key, _SNAPSHOT.render(snapshot))

    def latest(self) -> DagsterSnapshot | None:
        written = self._link.call("GET", self._key)
        with suppress(InvalidRecord):
            return None if written is None else _SNAPSHOT.parse(written)
        return None
