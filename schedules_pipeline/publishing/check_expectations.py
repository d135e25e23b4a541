"""Compares published days with the expected ranges of their services, for the check ``within_expected_range``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.domain.schedule import Slot
from schedules_pipeline.publishing.measure_day import measure, outside
from schedules_pipeline.publishing.ports import PublishingStore
from schedules_pipeline.publishing.ports.expectations import ExpectedRange, Measure

LOOKED_AHEAD = timedelta(days=7)
"""Days further ahead may still be filled, and are not compared."""


@dataclass(frozen=True, slots=True)
class RangeFinding:
    """``outside``: the measures that are not as expected. ``facts``: value, range and days learned from, by measure."""

    outside: tuple[Measure, ...]
    summary: str
    facts: dict[str, Any]


_NOT_LEARNED = RangeFinding((), "too few days were published to know the expected range", {})


class ExpectationChecker:
    def __init__(self, store: PublishingStore, calendar: BroadcastCalendar, clock: Clock) -> None:
        self._store = store
        self._calendar = calendar
        self._clock = clock

    def check(
        self, sources: Mapping[ScheduleKey, tuple[Sequence[Slot], int]]
    ) -> dict[ScheduleKey, RangeFinding]:
        """``sources``: the broadcasts of each schedule, and how many show an episode that the catalogue lacks."""
        learned = self._store.expectations.read(sorted({key.sid for key in sources}))
        ranges = {key: learned[key.sid].ranges(key.date) if key.sid in learned else {} for key in sources}
        return {
            key: self._compare(key, slots, unknown, ranges[key]) if ranges[key] else _NOT_LEARNED
            for key, (slots, unknown) in sources.items()
        }

    def _compare(
        self, key: ScheduleKey, slots: Sequence[Slot], unknown: int, ranges: Mapping[Measure, ExpectedRange]
    ) -> RangeFinding:
        day = self._calendar.window(key)
        values = measure(slots, unknown, self._store.versions.versions(key), day)
        facts = {
            name.value: {"value": values[name], "low": r.low, "high": r.high, "days": r.days}
            for name, r in ranges.items()
        }
        if day.start > self._clock() + LOOKED_AHEAD:
            return RangeFinding((), "more than a week ahead, so it may still be filled", facts)
        unusual = outside(values, ranges)
        texts = [
            f"{name} {value:g}, expected {ranges[name].low:g} to {ranges[name].high:g} "
            f"(learned from {ranges[name].days} days)"
            for name, value in unusual.items()
        ]
        return RangeFinding(tuple(unusual), "; ".join(texts) or "all values are as expected", facts)
