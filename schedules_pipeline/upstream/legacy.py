"""The old system's keyspace on Redis, read for comparison."""

from collections.abc import Iterator, Sequence

from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import InvalidIdentifier
from schedules_pipeline.store.link import RedisLink


class RedisLegacyKeyspace:
    """Implements :class:`LegacyKeyspace` by string keys with a prefix."""

    def __init__(self, link: RedisLink, prefix: str) -> None:
        self._link = link
        self._prefix = prefix

    def read(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, bytes]:
        found = self._link.get_many([f"{self._prefix}{key}" for key in keys])
        return {key: document for key, document in zip(keys, found, strict=True) if document is not None}

    def list_keys(self) -> Iterator[ScheduleKey]:
        for batch in self._link.scan(f"{self._prefix}*/*"):
            for name in batch:
                try:
                    yield ScheduleKey.parse(name.decode(errors="replace").removeprefix(self._prefix))
                except InvalidIdentifier:
                    continue

    def refreshed_at(self) -> str:
        return (self._link.call("GET", f"{self._prefix}refreshed_at") or b"").decode()
