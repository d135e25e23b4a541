"""Heartbeats of the processes that serve partners, on Redis."""

from datetime import datetime

from schedules_pipeline.publishing.ports.heartbeats import DeliveryProcess
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink


class RedisDeliveryHeartbeats:
    """Implements :class:`DeliveryHeartbeats`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._key = keys.delivery("pulses")

    def record(self, process: DeliveryProcess, now: datetime) -> None:
        self._link.call("HSET", self._key, process.value, now.isoformat())

    def all(self) -> dict[DeliveryProcess, datetime]:
        """Kinds of process that only a newer release knows are left out."""
        instants = self._link.call("HMGET", self._key, *(process.value for process in DeliveryProcess))
        return {
            process: datetime.fromisoformat(instant.decode())
            for process, instant in zip(DeliveryProcess, instants, strict=True)
            if instant is not None
        }
