"""Normal days are learned from observed days by robust statistics."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.expectations.learn import DAYS_KEPT, learn
from schedules_pipeline.publishing.ports.expectations import FEWEST_DAYS, Expectation, Measure, ObservedDay

_NOW = datetime(2026, 3, 30, 7, tzinfo=UTC)
_MONDAY = date(2026, 1, 5)


def _days(hours: list[float], first: date = _MONDAY, every: int = 1) -> list[ObservedDay]:
    """Days that cover so many hours, by default one after another."""
    return [
        ObservedDay(first + timedelta(days=every * number), {Measure.HOURS: each, Measure.BROADCASTS: 40.0})
        for number, each in enumerate(hours)
    ]


def _learned(*weeks: list[ObservedDay]) -> Expectation:
    found: Expectation | None = None
    for week in weeks:
        found = learn(found, week, _NOW)
    assert found is not None
    return found


def test_the_range_lies_around_the_usual_value() -> None:
    """It says how many days it was learned from."""
    expected = _learned(_days([24.0] * 14)).overall[Measure.HOURS]

    assert expected.contains(24.0)
    assert not expected.contains(20.0)
    assert expected.days == 14


def test_one_day_that_went_wrong_changes_no_range() -> None:
    """The median does not follow it."""
    normal, with_one = _learned(_days([24.0] * 14)), _learned(_days([24.0] * 13 + [1.0]))

    assert with_one.overall == normal.overall


def test_each_weekday_has_a_range_of_its_own() -> None:
    """A service may broadcast for nine hours, and for fifteen on Saturdays."""
    expectation = _learned(_days([9.0, 9.0, 9.0, 9.0, 9.0, 15.0, 9.0] * 5))
    saturday, sunday = _MONDAY + timedelta(days=75), _MONDAY + timedelta(days=76)

    assert expectation.ranges(saturday)[Measure.HOURS].contains(15.0)
    assert not expectation.ranges(saturday)[Measure.HOURS].contains(9.0)
    assert not expectation.ranges(sunday)[Measure.HOURS].contains(15.0)
    assert expectation.longest_day() >= 15.0


@pytest.mark.parametrize(("days", "is_learned"), [(0, False), (FEWEST_DAYS - 1, False), (FEWEST_DAYS, True)])
def test_too_few_days_teach_nothing(days: int, is_learned: bool) -> None:
    """There is no range at all, rather than a wrong one; a weekday with too few uses all days."""
    expectation = _learned(_days([24.0] * days))

    assert bool(expectation.overall) is is_learned
    assert expectation.by_weekday == {}
    assert expectation.ranges(_MONDAY) == expectation.overall
    assert (expectation.longest_day() > 0) is is_learned


def test_a_week_is_added_and_the_oldest_days_go() -> None:
    """A day that is measured again replaces itself."""
    everything = _days([float(number) for number in range(100)])

    expectation = _learned(everything[:60], everything[50:])

    assert expectation.observed == tuple(everything[-DAYS_KEPT:])


@given(st.lists(st.floats(0, 25), min_size=FEWEST_DAYS, max_size=80), st.integers(1, 79))
def test_learning_in_steps_is_learning_at_once(hours: list[float], cut: int) -> None:
    """The snapshot needs nothing but itself and the new week; the median is always normal."""
    days = _days(hours)

    in_steps, at_once = _learned(days[:cut], days[cut:]), _learned(days)

    assert in_steps == at_once
    kept = sorted(hours[-DAYS_KEPT:])
    median = (kept[(len(kept) - 1) // 2] + kept[len(kept) // 2]) / 2
    assert at_once.overall[Measure.HOURS].contains(round(median, 3)) or median < 0.001
