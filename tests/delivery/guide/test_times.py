"""Days, times and durations in words."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from schedules_pipeline.delivery.guide.times import clock, clock_on, format_seconds

_LONDON = ZoneInfo("Europe/London")


@pytest.mark.parametrize(
    ("at", "written"),
    [
        (datetime(2026, 7, 1, 18, 30, tzinfo=UTC), "19:30"),
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "01:30 BST"),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "01:30 GMT"),
        (datetime(2026, 10, 24, 5, 0, tzinfo=UTC), "06:00 BST"),
        (datetime(2026, 10, 26, 5, 0, tzinfo=UTC), "05:00 GMT"),
        (datetime(2026, 10, 26, 8, 0, tzinfo=UTC), "08:00"),
        (datetime(2027, 3, 28, 1, 0, tzinfo=UTC), "02:00 BST"),
    ],
)
def test_a_time_near_a_clock_change_names_its_offset(at: datetime, written: str) -> None:
    """For the whole broadcast day in which the change is, also of radio, so that no hour is of two instants."""
    assert clock(at, _LONDON) == written


def test_a_time_of_another_day_names_the_day() -> None:
    """Local days count, not those of UTC."""
    on = date(2026, 7, 1)

    assert clock_on(datetime(2026, 7, 1, 22, 59, tzinfo=UTC), on, _LONDON) == "23:59"
    assert clock_on(datetime(2026, 7, 1, 23, 0, tzinfo=UTC), on, _LONDON) == "Thu 00:00"
    assert clock_on(datetime(2026, 6, 30, 22, 59, tzinfo=UTC), on, _LONDON) == "Tue 23:59"


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (-0.2, "0.01 s"),
        (0.004, "0.01 s"),
        (0.254, "0.25 s"),
        (1, "1.0 s"),
        (59.94, "59.9 s"),
        (60, "1 min 0 s"),
        (125.4, "2 min 5 s"),
        (3_599.6, "1 h 0 min"),
        (12_000, "3 h 20 min"),
    ],
)
def test_durations_are_as_exact_as_a_reader_needs(seconds: float, written: str) -> None:
    """Hundredths below a second, and no seconds above an hour."""
    assert format_seconds(seconds) == written
