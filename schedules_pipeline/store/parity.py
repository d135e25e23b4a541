"""Past parity reports, on Redis: a list of records, newest first."""

from schedules_pipeline.documents.record import Record
from schedules_pipeline.migration.ports import ParityPoint
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink

_REMEMBERED = 400
_POINT = Record(ParityPoint, "parity point")


class RedisParityTrendStore:
    """Implements :class:`ParityTrendStore`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._key = keys.journal("parity_trend")

    def append(self, point: ParityPoint) -> None:
        self._link.run([("LPUSH", self._key, _POINT.render(point)), ("LTRIM", self._key, 0, _REMEMBERED - 1)])

    def all(self) -> list[ParityPoint]:
        return [_POINT.parse(row) for row in reversed(self._link.call("LRANGE", self._key, 0, -1))]
