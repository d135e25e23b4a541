"""Counters and durations on Redis."""

from bisect import bisect_left
from collections import Counter as Multiset
from collections.abc import Mapping, Sequence

from schedules_pipeline.publishing.ports.counters import (
    DURATION_BOUNDS,
    NO_DURATIONS,
    Counter,
    Durations,
    Timer,
)
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
        self, amounts: Mapping[Counter, int], durations: Mapping[Timer, Sequence[float]] = NO_DURATIONS
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

    def all(self) -> dict[Counter, int]:
        fields = self._read(self._key)
        return {counter: fields[counter] for counter in Counter if counter in fields}

    def durations(self) -> dict[Timer, Durations]:
        fields = self._read(self._durations)
        return {
            timer: Durations(
                tuple(fields.get(f"{timer} {bound}", 0) for bound in _BOUNDS),
                fields[f"{timer} microseconds"] / _MICROSECONDS,
            )
            for timer in Timer
            if f"{timer} microseconds" in fields
        }

    def _read(self, key: str) -> dict[str, int]:
        rows = self._link.call("HGETALL", key)
        return {name.decode(): int(value) for name, value in rows.items()}


def _increments(durations: Mapping[Timer, Sequence[float]]) -> Multiset[str]:
    increments: Multiset[str] = Multiset()
    for timer, all_seconds in durations.items():
        for seconds in all_seconds:
            increments[f"{timer} {_BOUNDS[bisect_left(DURATION_BOUNDS, seconds)]}"] += 1
            increments[f"{timer} microseconds"] += round(seconds * _MICROSECONDS)
    return increments
