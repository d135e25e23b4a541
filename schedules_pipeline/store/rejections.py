"""Rejected input on Redis: a hash by subject, and its index by kind and age."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain

from schedules_pipeline.documents.record import Record
from schedules_pipeline.publishing.ports.counters import Counter
from schedules_pipeline.publishing.ports.rejections import (
    MOST_REJECTIONS,
    RejectedKind,
    Rejection,
    RejectionSummary,
)
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import Arguments, RedisLink

_REJECTION = Record(Rejection, "rejection")
_RANK = 1e11
"""Added to the score, seconds since 1970, of an item, and twice to that of a schedule."""
_KINDS = (RejectedKind.MESSAGE, RejectedKind.ITEM, RejectedKind.SCHEDULE)
_READ_AT_ONCE = 500
_UNKNOWN = datetime.fromtimestamp(0, UTC)


class RedisRejectionStore:
    """Implements :class:`RejectionStore`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._key, self._by_age = keys.journal("refused"), keys.journal("rejections_by_age")
        self._counters = keys.journal("counters")
        self._keep = link.script("keep_rejections")

    def keep(self, rejections: Mapping[str, Rejection]) -> None:
        if rejections:
            triples: list[Arguments] = [
                (subject, _score(subject, r.refused_at), _REJECTION.render(r))
                for subject, r in rejections.items()
            ]
            self._run(list(chain(*triples)))

    def find(self, subjects: Sequence[str]) -> dict[str, Rejection]:
        found: dict[str, Rejection] = {}
        for start in range(0, len(subjects), _READ_AT_ONCE):
            batch = subjects[start : start + _READ_AT_ONCE]
            values = zip(batch, self._link.call("HMGET", self._key, *batch), strict=True)
            found |= {subject: _parse(value) for subject, value in values if value is not None}
        return found

    def forget(self, subjects: Sequence[str]) -> None:
        if subjects:
            self._link.run([("HDEL", self._key, *subjects), ("ZREM", self._by_age, *subjects)])

    def summary(self, examples: int) -> RejectionSummary:
        ranges = [("ZCOUNT", self._by_age, rank * _RANK, f"({(rank + 1) * _RANK}") for rank in range(3)]
        *counts, latest = self._link.run([*ranges, ("ZREVRANGE", self._by_age, 0, max(0, examples - 1))])
        subjects = [subject.decode() for subject in latest[:examples]]
        return RejectionSummary(dict(zip(_KINDS, map(int, counts), strict=True)), self.find(subjects))

    def times(self) -> dict[str, datetime]:
        """Brings the index in step with what other releases have stored, which know no index."""
        stored, indexed = self._link.run([("HLEN", self._key), ("ZCARD", self._by_age)])
        if stored != indexed:
            self._run([])
        rows = iter(self._link.call("ZRANGE", self._by_age, 0, -1, "WITHSCORES"))
        return {
            subject.decode(): datetime.fromtimestamp(float(score) % _RANK, UTC)
            for subject, score in zip(rows, rows, strict=True)
        }

    def all(self) -> dict[str, Rejection]:
        return self.find(list(self.times()))

    def _run(self, triples: Arguments) -> None:
        evicted = (Counter.REJECTED_MESSAGES_EVICTED, Counter.REJECTED_ITEMS_EVICTED)
        arguments: Arguments = [MOST_REJECTIONS, *evicted, *triples]
        self._link.call(*self._keep.command([self._key, self._by_age, self._counters], arguments))


def _parse(value: bytes) -> Rejection:
    """One that cannot be decoded is listed as such, until a build or an operator ends it."""
    reason = "the record of this rejection cannot be decoded: rebuild its subject, or `rejected forget` it"
    return _REJECTION.parse_if_sound(value) or Rejection(reason, _UNKNOWN, "", "", "")


def _score(subject: str, at: datetime) -> float:
    return _KINDS.index(RejectedKind.of(subject)) * _RANK + at.timestamp()
