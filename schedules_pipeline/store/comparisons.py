"""Comparisons with the old system on Redis."""

from collections import Counter
from collections.abc import Mapping, Sequence

import orjson

from schedules_pipeline.documents.record import Record
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.migration.ports import Comparison, DifferenceSummary, Verdict
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
        return {
            ScheduleKey.parse(key.decode()): _COMPARISON.parse(value)
            for page in self._link.hash_pages(self._key)
            for key, value in page.items()
        }

    def tally(self) -> dict[tuple[Sid, Verdict], int]:
        found = Counter((key.partition(b"/")[0], verdict) for key, (verdict, _) in self._verdicts().items())
        return {(Sid(sid.decode()), verdict): amount for (sid, verdict), amount in found.items()}

    def differing(self, examples: int) -> DifferenceSummary:
        verdicts = self._verdicts()
        differing = {key: n for key, (verdict, n) in verdicts.items() if verdict is Verdict.DIFFERS}
        first = {ScheduleKey.parse(key.decode()): differing[key] for key in sorted(differing)[:examples]}
        return DifferenceSummary(len(verdicts), len(differing), first)

    def _verdicts(self) -> dict[bytes, tuple[Verdict, int]]:
        """The verdict and the number of differences of every schedule, without the differences themselves."""
        return {
            key: (Verdict(fields["verdict"]), fields.get("difference_count", 0))
            for page in self._link.hash_pages(self._key)
            for key, value in page.items()
            if (fields := orjson.loads(value))
        }

    def compared_refresh(self) -> str:
        return (self._link.call("GET", self._refresh) or b"").decode()

    def record_compared_refresh(self, refreshed_at: str) -> None:
        self._link.call("SET", self._refresh, refreshed_at)
