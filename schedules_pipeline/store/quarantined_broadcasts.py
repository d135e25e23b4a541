"""Schedules with broadcasts in quarantine, on Redis."""

from collections.abc import Mapping, Sequence

from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink


class RedisQuarantinedBroadcastStore:
    """Implements :class:`QuarantinedBroadcastStore`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._key = keys.journal("quarantined_broadcasts")

    def keep(self, summaries: Mapping[ScheduleKey, str]) -> None:
        self._link.run([("HSET", self._key, str(key), summary) for key, summary in summaries.items()])

    def forget(self, keys: Sequence[ScheduleKey]) -> None:
        if keys:
            self._link.call("HDEL", self._key, *map(str, keys))

    def find(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, str]:
        found = self._link.call("HMGET", self._key, *map(str, keys)) if keys else []
        return {key: text.decode() for key, text in zip(keys, found, strict=True) if text is not None}

    def all(self) -> dict[ScheduleKey, str]:
        return {
            ScheduleKey.parse(key.decode()): text.decode().partition("\n")[0]
            for page in self._link.hash_pages(self._key)
            for key, text in page.items()
        }
