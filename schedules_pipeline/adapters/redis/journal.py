"""What operators look at, on Redis: refused input, comparisons with the old system, counters."""

from collections.abc import Mapping, Sequence

from pydantic import TypeAdapter

from schedules_pipeline.adapters.redis.keys import Keys
from schedules_pipeline.adapters.redis.link import RedisLink
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.ports.journal import Comparison, Refusal

_REFUSAL = TypeAdapter(Refusal)
_COMPARISON = TypeAdapter(Comparison)


class RedisRefusedInput:
    """Implements :class:`~schedules_pipeline.ports.journal.RefusedInput`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._key = keys.journal("refused")

    def keep(self, refusals: Mapping[str, Refusal]) -> None:
        self._link.run(
            [("HSET", self._key, subject, _REFUSAL.dump_json(r)) for subject, r in refusals.items()]
        )

    def find(self, subjects: Sequence[str]) -> dict[str, Refusal]:
        if not subjects:
            return {}
        found = self._link.call("HMGET", self._key, *subjects)
        return {
            subject: _REFUSAL.validate_json(value)
            for subject, value in zip(subjects, found, strict=True)
            if value is not None
        }

    def forget(self, subjects: Sequence[str]) -> None:
        if subjects:
            self._link.call("HDEL", self._key, *subjects)

    def all(self) -> dict[str, Refusal]:
        rows = self._link.call("HGETALL", self._key)
        return {subject.decode(): _REFUSAL.validate_json(value) for subject, value in rows.items()}


class RedisComparisons:
    """Implements :class:`~schedules_pipeline.ports.journal.Comparisons`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._key = keys.journal("comparisons")
        self._refresh = keys.journal("compared_refresh")

    def keep(self, comparisons: Mapping[ScheduleKey, Comparison]) -> None:
        self._link.run(
            [("HSET", self._key, str(key), _COMPARISON.dump_json(c)) for key, c in comparisons.items()]
        )

    def all(self) -> dict[ScheduleKey, Comparison]:
        rows = self._link.call("HGETALL", self._key)
        return {
            ScheduleKey.parse(key.decode()): _COMPARISON.validate_json(value) for key, value in rows.items()
        }

    def compared_refresh(self) -> str:
        return (self._link.call("GET", self._refresh) or b"").decode()

    def note_compared_refresh(self, refreshed_at: str) -> None:
        self._link.call("SET", self._refresh, refreshed_at)


class RedisCounters:
    """Implements :class:`~schedules_pipeline.ports.journal.Counters`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._key = keys.journal("counters")

    def add(self, amounts: Mapping[str, int]) -> None:
        self._link.run([("HINCRBY", self._key, name, amount) for name, amount in amounts.items() if amount])

    def all(self) -> dict[str, int]:
        rows = self._link.call("HGETALL", self._key)
        return {name.decode(): int(value) for name, value in rows.items()}
