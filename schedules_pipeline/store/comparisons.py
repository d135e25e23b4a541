"""Comparisons with the old system on Redis."""

from collections import Counter
from collections.abc import Mapping, Sequence

import orjson

from schedules_pipeline.documents.record import Record
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.migration.ports import Comparison, Verdict
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink

_COMPARISON = Record(Comparison, "comparison")


class RedisComparisonStore:
    """Implements :class:`ComparisonStore`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._key = keys.journal("comparisons")
        self._refresh = keys.journal("compared_refresh")

    def keep(self, comparisons: Mapping[ScheduleKey, Comparison]) -> None:
        self._link.run(
            [("HSET", self._key, str(key), _COMPARISON.render(c)) for key, c in comparisons.items()]
        )

    def forget(self, keys: Sequence[ScheduleKey]) -> None:
        if keys:
            self._link.call("HDEL", self._key, *map(str, keys))

    def find(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, Comparison]:
        values = self._link.call("HMGET", self._key, *map(str, keys)) if keys else []
        return {
            key: _COMPARISON.parse(value)
            for key, value in zip(keys, values, strict=True)
            if value is not None
        }

    def all(self) -> dict[ScheduleKey, Comparison]:
        rows = self._link.call("HGETALL", self._key)
        return {ScheduleKey.parse(key.decode()): _COMPARISON.parse(value) for key, value in rows.items()}

    def tally(self) -> dict[tuple[Sid, Verdict], int]:
        """Parses only the verdicts, because each scrape of the metrics calls this."""
        rows = self._link.call("HGETALL", self._key)
        found = Counter(
            (key.partition(b"/")[0], orjson.loads(value)["verdict"]) for key, value in rows.items()
        )
        return {(Sid(sid.decode()), Verdict(verdict)): amount for (sid, verdict), amount in found.items()}

    def compared_refresh(self) -> str:
        return (self._link.call("GET", self._refresh) or b"").decode()

    def record_compared_refresh(self, refreshed_at: str) -> None:
        self._link.call("SET", self._refresh, refreshed_at)
