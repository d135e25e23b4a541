"""The active publisher on Redis: a key that expires, so that a dead run is replaced."""

from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink


class RedisPublisherPresence:
    """Implements :class:`PublisherPresence`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._key = keys.journal("publisher")

    def reserve(self, name: str, seconds: int) -> bool:
        return self._link.call("SET", self._key, name, "NX", "EX", seconds) is not None

    def renew(self, name: str, seconds: int) -> None:
        self._link.call("SET", self._key, name, "EX", seconds)

    def leave(self) -> None:
        self._link.call("DEL", self._key)

    def name(self) -> str:
        return (self._link.call("GET", self._key) or b"").decode()
