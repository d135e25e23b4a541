"""Compares published days with the expected ranges of their services, for the check ``within_expected_range``."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.measure_day import DayMeasurer, outside
from schedules_pipeline.publishing.ports import PublishingStore
from schedules_pipeline.publishing.ports.expectations import Measure

LOOKED_AHEAD = timedelta(days=7)
"""Days further ahead may still be filled, and are not compared."""


@dataclass(frozen=True, slots=True)
class RangeFinding:
    """``outside``: the measures that are not as expected. ``facts``: value, range and days learned from, by measure."""

    outside: tuple[Measure, ...]
    summary: str
    facts: dict[str, Any]


class ExpectationChecker:
    def __init__(self, store: PublishingStore, calendar: BroadcastCalendar, clock: Clock) -> None:
        self._store = store
        self._measurer = DayMeasurer(store, calendar)
        self._calendar = calendar
        self._clock = clock

    def check(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, RangeFinding]:
        """One finding for each schedule with an accepted source."""
        learned = self._store.expectations.read(sorted({key.sid for key in keys}))
        limit = self._clock() + LOOKED_AHEAD
        found = {}
        for key, values in self._measurer.measure(keys).items():
            ranges = learned[key.sid].ranges(key.date) if key.sid in learned else {}
            facts = {
                name.value: {"value": value, "low": r.low, "high": r.high, "days": r.days}
                for name, value in values.items()
                if (r := ranges.get(name)) is not None
            }
            if not ranges:
                found[key] = RangeFinding((), "too few days were published to know the expected range", facts)
            elif self._calendar.window(key).start > limit:
                found[key] = RangeFinding((), "more than a week ahead, so it may still be filled", facts)
            else:
                unusual = outside(values, ranges)
                texts = [
                    f"{name} {value:g}, expected {ranges[name].low:g} to {ranges[name].high:g} "
                    f"(learned from {ranges[name].days} days)"
                    for name, value in unusual.items()
                ]
                found[key] = RangeFinding(
                    tuple(unusual), "; ".join(texts) or "all values are as expected", facts
                )
        return found
