"""Incidents and their undelivered notices, on Redis."""

from contextlib import suppress
from datetime import datetime, timedelta

from schedules_pipeline.documents.record import Record
from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.health.incidents import Incident, IncidentChange, Notice
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink

_INCIDENT = Record(Incident, "incident")
_NOTICE = Record(Notice, "notice")


class RedisIncidentStore:
    """Implements :class:`IncidentStore`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._incidents, self._since = keys.alarms("episodes"), keys.alarms("watched_since")
        self._outbox, self._notices = keys.alarms("outbox"), keys.alarms("notices")
        self._attempts, self._booked = keys.alarms("attempts"), keys.alarms("booked")
        self._change, self._take = link.script("change_incident"), link.script("take_notice")

    def latest(self) -> list[Incident]:
        """Records that cannot be decoded are left out: a newer release may have conditions of its own."""
        rows = self._link.call("HGETALL", self._incidents)
        found = []
        for _, value in sorted(rows.items()):
            with suppress(InvalidRecord):
                found.append(_INCIDENT.parse(value.partition(b"\n")[2]))
        return found

    def change(self, change: IncidentChange, channels: tuple[str, ...]) -> bool:
        incident, notice = change.incident, change.notice
        deliveries = [] if notice is None else [_delivery(channel, notice) for channel in channels]
        rendered = b"" if notice is None else _NOTICE.render(notice)
        keys = [self._incidents, self._outbox, self._notices, self._booked]
        arguments: list[str | bytes | int | float] = [incident.name.value, incident.revision]
        arguments += [_INCIDENT.render(incident), rendered, *deliveries]
        return bool(self._link.call(*self._change.command(keys, arguments)))

    def take_notice(self, channel: str, now: datetime, lease_for: timedelta) -> Notice | None:
        keys = [self._outbox, self._notices, self._attempts]
        times = (now.timestamp(), (now + lease_for).timestamp())
        notice = self._link.call(*self._take.command(keys, [channel, *times]))
        return None if notice is None else _NOTICE.parse(notice)

    def confirm_delivered(self, channel: str, notice: Notice) -> None:
        """The outbox first, so that an interrupted call leaves no delivery that is repeated."""
        delivery = _delivery(channel, notice)
        self._link.run(
            [
                ("ZREM", self._outbox, delivery),
                ("ZREM", self._attempts, delivery),
                ("HDEL", self._notices, delivery),
            ]
        )

    def count_undelivered(self) -> int:
        return int(self._link.call("ZCARD", self._outbox))

    def watched_since(self, now: datetime) -> datetime:
        written = now.isoformat()
        self._link.call("SET", self._since, written, "NX")
        return datetime.fromisoformat(self._link.call("GET", self._since).decode())


def _delivery(channel: str, notice: Notice) -> str:
    return f"{channel}\n{notice.name}\n{notice.id}"
