"""Past samples of Redis' memory, on Redis: a list of records, latest first."""

from schedules_pipeline.documents.record import Record
from schedules_pipeline.health.growth import SAMPLES_KEPT, MemorySample
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink

_SAMPLE = Record(MemorySample, "memory sample")


class RedisMemoryHistory:
    """Implements :class:`MemoryHistory`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._key = keys.journal("memory_samples")

    def add(self, sample: MemorySample) -> None:
        self._link.run(
            [("LPUSH", self._key, _SAMPLE.render(sample)), ("LTRIM", self._key, 0, SAMPLES_KEPT - 1)]
        )

    def all(self) -> list[MemorySample]:
        return [_SAMPLE.parse(row) for row in self._link.call("LRANGE", self._key, 0, -1)]
