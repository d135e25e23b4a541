"""Counters and durations on Redis."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence

from schedules_pipeline.publishing.ports.counters import DURATION_BOUNDS, NO_DURATIONS, Durations
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink

_BOUNDS = (*map(str, DURATION_BOUNDS), "+Inf")


_MICROSECONDS = 1_000_000


class RedisCounterStore:
    """Implements :class:`CounterStore`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._key = keys.journal("counters")
        self._durations = keys.journal("durations")

    def add(
        self, amounts: Mapping[str, int], durations: Mapping[str, Sequence[float]] = NO_DURATIONS
    ) -> None:
        increments = ((self._key, amounts), (self._durations, _increments(durations)))
        self._link.run(
            [
                ("HINCRBY", key, field, amount)
                for key, by_field in increments
                for field, amount in by_field.items()
                if amount
            ]
        )

    def all(self) -> dict[str, int]:
        return self._read(self._key)

    def durations(self) -> dict[str, Durations]:
        fields = self._read(self._durations)
        names = {field.rpartition(" ")[0] for field in fields}
        return {
            name: Durations(
                tuple(fields.get(f"{name} {bound}", 0) for bound in _BOUNDS),
                fields.get(f"{name} microseconds", 0) / _MICROSECONDS,
            )
            for name in names
        }

    def _read(self, key: str) -> dict[str, int]:
        rows = self._link.call("HGETALL", key)
        return {name.decode(): int(value) for name, value in rows.items()}


def _increments(durations: Mapping[str, Sequence[float]]) -> Counter[str]:
    increments: Counter[str] = Counter()
    for name, all_seconds in durations.items():
        for seconds in all_seconds:
            increments[f"{name} {_BOUNDS[bisect_left(DURATION_BOUNDS, seconds)]}"] += 1
            increments[f"{name} microseconds"] += round(seconds * _MICROSECONDS)
    return increments
