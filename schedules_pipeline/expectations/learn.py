"""Learns expected ranges: adds the last week to the observed days of each service, and computes their ranges anew.

A snapshot holds the observed days themselves, a few numbers each, so that the week is added to it and nothing else is
read. Only the learner imports this module, because pandas takes long to import.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import pandas as pd

from schedules_pipeline.publishing.ports.expectations import (
    FEWEST_DAYS,
    Expectation,
    ExpectedRange,
    Measure,
    ObservedDay,
)

DAYS_KEPT = 70
"""Ten of each weekday."""

_SPREADS = 4.0
"""How many robust standard deviations from the median are normal."""
_NORMAL_SCALE = 1.4826
"""Makes the median deviation from the median comparable with a standard deviation."""
_SMALLEST_SPREAD: Mapping[Measure, float] = {
    Measure.BROADCASTS: 1.0,
    Measure.HOURS: 0.25,
    Measure.CHANGES: 0.1,
    Measure.REPEATS: 0.05,
    Measure.UNKNOWN: 0.01,
}
"""A service that was the same on all days may still differ a little tomorrow."""


def learn(earlier: Expectation | None, week: Iterable[ObservedDay], now: datetime) -> Expectation:
    """The snapshot with these days added or replaced. Pure."""
    by_day = {each.day: each for each in (earlier.observed if earlier else ())}
    by_day |= {each.day: each for each in week}
    observed = tuple(by_day[day] for day in sorted(by_day)[-DAYS_KEPT:])
    frame = _frame(observed)
    by_weekday = {
        weekday: _ranges(group)
        for weekday in range(7)
        if len(group := frame[[day.weekday() == weekday for day in frame.index]]) >= FEWEST_DAYS
    }
    return Expectation(now, observed, by_weekday, _ranges(frame) if len(frame) >= FEWEST_DAYS else {})


def _frame(observed: Sequence[ObservedDay]) -> pd.DataFrame:
    rows = [{name.value: each.measured.get(name) for name in Measure} for each in observed]
    return pd.DataFrame(rows, index=[each.day for each in observed], dtype=float)


def _ranges(frame: pd.DataFrame) -> dict[Measure, ExpectedRange]:
    """Median and median deviation, so that one day that went wrong does not widen the range."""
    median = frame.median()
    spread = (frame - median).abs().median() * _NORMAL_SCALE
    counts = frame.count()
    return {
        name: _range(
            float(median[name.value]), max(float(spread[name.value]), smallest), int(counts[name.value])
        )
        for name, smallest in _SMALLEST_SPREAD.items()
        if counts[name.value]
    }


def _range(median: float, spread: float, days: int) -> ExpectedRange:
    low, high = median - _SPREADS * spread, median + _SPREADS * spread
    return ExpectedRange(round(max(0.0, low), 3), round(high, 3), days)
