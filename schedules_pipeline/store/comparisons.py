"""Comparisons with the old system on Redis."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson

from schedules_pipeline.documents.record import Record
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.migration.ports import Comparison, DifferenceSummary, Verdict
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink

_COMPARISON = Record(Comparison, "comparison", omits_defaults=True)
_MOST_EXAMPLES = 20


class RedisComparisonStore:
    """Implements :class:`ComparisonStore`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._key = keys.journal("comparisons")
        self._refresh = keys.journal("compared_refresh")
        self._key_of_summary = keys.journal("comparison_summary")

    def keep(self, comparisons: Mapping[ScheduleKey, Comparison]) -> None:
        self._link.run(
            [("HSET", self._key, str(key), _COMPARISON.render(c)) for key, c in comparisons.items()]
        )

    def forget(self, keys: Sequence[ScheduleKey]) -> None:
        if keys:
            self._link.run([("HDEL", self._key, *map(str, keys)), ("DEL", self._key_of_summary)])

    def find(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, Comparison]:
        values = self._link.call("HMGET", self._key, *map(str, keys)) if keys else []
        return _sound((key, value) for key, value in zip(keys, values, strict=True) if value is not None)

    def keys(self) -> set[ScheduleKey]:
        """In pages, although Redis sends the comparisons too: one page at a time is in memory."""
        pages = self._link.hash_pages(self._key)
        return {ScheduleKey.parse(key.decode()) for page in pages for key in page}

    def all(self) -> dict[ScheduleKey, Comparison]:
        pages = self._link.hash_pages(self._key)
        return _sound(
            (ScheduleKey.parse(key.decode()), value) for page in pages for key, value in page.items()
        )

    def tally(self) -> dict[tuple[Sid, Verdict], int]:
        summary = self._summary()
        return {(Sid(sid), Verdict(verdict)): amount for sid, verdict, amount in summary["tally"]}

    def differing(self, examples: int) -> DifferenceSummary:
        summary = self._summary()
        amounts = [(verdict, amount) for _, verdict, amount in summary["tally"]]
        differing = sum(amount for verdict, amount in amounts if verdict == Verdict.DIFFERS)
        first = list(summary["examples"].items())[:examples]
        compared = sum(amount for _, amount in amounts)
        return DifferenceSummary(compared, differing, {ScheduleKey.parse(key): n for key, n in first})

    def compared_refresh(self) -> str:
        return (self._link.call("GET", self._refresh) or b"").decode()

    def record_compared_refresh(self, refreshed_at: str) -> None:
        """With a summary of all comparisons, so that what reads often need not read all."""
        summary = {**self._summarise(), "refresh": refreshed_at}
        self._link.run([("SET", self._key_of_summary, orjson.dumps(summary))])
        self._link.call("SET", self._refresh, refreshed_at)

    def _summary(self) -> dict[str, Any]:
        """As of the latest refresh that was compared; of all comparisons if an older release has compared it."""
        stored, refresh = self._link.run([("GET", self._key_of_summary), ("GET", self._refresh)])
        summary: dict[str, Any] = orjson.loads(stored or b"{}")
        is_latest = refresh is not None and summary.get("refresh") == refresh.decode()
        return summary if is_latest else self._summarise()

    def _summarise(self) -> dict[str, Any]:
        tally: Counter[tuple[str, str]] = Counter()
        differing: dict[str, int] = {}
        for page in self._link.hash_pages(self._key):
            for key, value in page.items():
                name = key.decode()
                with suppress(ValueError, KeyError, TypeError):
                    fields = orjson.loads(value)
                    verdict = Verdict(fields["verdict"])
                    tally[name.partition("/")[0], verdict] += 1
                    if verdict is Verdict.DIFFERS:
                        differing[name] = fields.get("difference_count", 0)
        examples = {name: differing[name] for name in sorted(differing)[:_MOST_EXAMPLES]}
        return {"tally": [[*subject, n] for subject, n in sorted(tally.items())], "examples": examples}


def _sound(values: Iterable[tuple[ScheduleKey, bytes]]) -> dict[ScheduleKey, Comparison]:
    """Without those that cannot be decoded: the next refresh replaces them."""
    found = ((key, _COMPARISON.parse_if_sound(value)) for key, value in values)
    return {key: comparison for key, comparison in found if comparison is not None}
