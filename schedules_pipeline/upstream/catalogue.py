"""The catalogue pipeline's keyspace on Redis, only read."""

from collections.abc import Sequence

from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.store.link import RedisLink


class RedisCatalogueSource:
    """Implements :class:`CatalogueSource` by string keys with a prefix."""

    def __init__(self, link: RedisLink, prefix: str) -> None:
        self._link = link
        self._prefix = prefix

    def read(self, pids: Sequence[Pid]) -> dict[Pid, bytes]:
        found = self._link.get_many([self._prefix + pid for pid in pids])
        return {pid: content for pid, content in zip(pids, found, strict=True) if content is not None}
