"""What operators look at, on Redis: refused input, comparisons with the old system, counters."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence

import orjson
from pydantic import TypeAdapter

from schedules_pipeline.adapters.redis.keys import Keys
from schedules_pipeline.adapters.redis.link import RedisLink
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.ports.journal import (
    DURATION_BOUNDS,
    NO_DURATIONS,
    Comparison,
    Durations,
    Refusal,
    Verdict,
)

_REFUSAL = TypeAdapter(Refusal)
_COMPARISON = TypeAdapter(Comparison)
_BOUNDS = (*map(str, DURATION_BOUNDS), "+Inf")
_MICROSECONDS = 1_000_000


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

    def count(self) -> int:
        return int(self._link.call("HLEN", self._key))

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

    def forget(self, keys: Sequence[ScheduleKey]) -> None:
        if keys:
            self._link.call("HDEL", self._key, *map(str, keys))

    def find(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, Comparison]:
        values = self._link.call("HMGET", self._key, *map(str, keys)) if keys else []
        return {
            key: _COMPARISON.validate_json(value)
            for key, value in zip(keys, values, strict=True)
            if value is not None
        }

    def all(self) -> dict[ScheduleKey, Comparison]:
        rows = self._link.call("HGETALL", self._key)
        return {
            ScheduleKey.parse(key.decode()): _COMPARISON.validate_json(value) for key, value in rows.items()
        }

    def tally(self) -> dict[tuple[Sid, Verdict], int]:
        """Of each comparison only the verdict is read: a scrape asks this every few seconds."""
        rows = self._link.call("HGETALL", self._key)
        found = Counter(
            (key.partition(b"/")[0], orjson.loads(value)["verdict"]) for key, value in rows.items()
        )
        return {(Sid(sid.decode()), Verdict(verdict)): amount for (sid, verdict), amount in found.items()}

    def compared_refresh(self) -> str:
        return (self._link.call("GET", self._refresh) or b"").decode()

    def note_compared_refresh(self, refreshed_at: str) -> None:
        self._link.call("SET", self._refresh, refreshed_at)


class RedisFailingChecks:
    """Implements :class:`~schedules_pipeline.ports.journal.FailingChecks`: fields are ``<schedule> <check>``."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._key = keys.journal("failing_checks")

    def note(self, outcomes: Mapping[tuple[ScheduleKey, str], str | None]) -> None:
        failing = {f"{key} {check}": text for (key, check), text in outcomes.items() if text is not None}
        well = [f"{key} {check}" for (key, check), text in outcomes.items() if text is None]
        commands: list[tuple[str, ...]] = [("HSET", self._key, *field) for field in failing.items()]
        if well:
            commands.append(("HDEL", self._key, *well))
        self._link.run(commands)

    def all(self) -> dict[tuple[ScheduleKey, str], str]:
        rows = self._link.call("HGETALL", self._key)
        return {_failing_check(field.decode()): text.decode() for field, text in rows.items()}


def _failing_check(field: str) -> tuple[ScheduleKey, str]:
    key, _, check = field.rpartition(" ")
    return ScheduleKey.parse(key), check


class RedisCounters:
    """Implements :class:`~schedules_pipeline.ports.journal.Counters`."""

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
