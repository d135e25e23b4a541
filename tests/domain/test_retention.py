"""How long schedules are kept once their day is over."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from schedules_pipeline.domain.retention import KEEPS_EVERYTHING, RetentionHorizon

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 2, 25), False),
        (date(2026, 2, 26), True),
        (date(2026, 3, 28), True),
        (date(2026, 5, 1), True),
    ],
)
def test_the_horizon_is_so_many_days_before_today(day: date, expected: bool) -> None:
    """The day exactly at the horizon is the first that is kept; future days are always kept."""
    assert RetentionHorizon(30).keeps(day, _NOW) is expected


def test_today_is_the_date_in_utc() -> None:
    """The horizon moves at midnight in UTC, with the clock in any zone."""
    late_evening = datetime(2026, 3, 28, 23, tzinfo=timezone(timedelta(hours=-5)))

    assert not RetentionHorizon(1).keeps(date(2026, 3, 27), late_evening)
    assert RetentionHorizon(1).keeps(date(2026, 3, 28), late_evening)


def test_no_days_is_no_horizon() -> None:
    """Zero keeps every date."""
    assert KEEPS_EVERYTHING.keeps(date.min, _NOW)
