"""When a schedule is due, by its broadcast day."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.publishing.urgency import due_at

_CALENDAR = BroadcastCalendar(ZoneInfo("Europe/London"), ("*radio*",))
_SID = Sid("alder_one_north")
_SIX = datetime(2026, 1, 15, 6, tzinfo=UTC)

_keys = st.builds(
    ScheduleKey, st.sampled_from([_SID, Sid("alder_radio_one")]), st.dates(date(2, 1, 1), date(9998, 12, 31))
)
_instants = st.timedeltas(timedelta(0), timedelta(days=30_000)).map(lambda after: _SIX + after)


@pytest.mark.parametrize(
    ("day", "seconds"),
    [
        pytest.param("2026-01-15", 0, id="on air since this moment"),
        pytest.param("2026-01-16", 4, id="a day ahead"),
        pytest.param("2026-01-17", 8, id="two days ahead"),
        pytest.param("2026-01-30", 60, id="fifteen days ahead"),
        pytest.param("2026-12-30", 60, id="far ahead"),
        pytest.param("2026-01-14", 60, id="over since this moment"),
        pytest.param("2025-01-14", 60, id="long over"),
    ],
)
def test_schedule_is_due(day: str, seconds: int) -> None:
    """A schedule on air is due now, a later one up to a minute later, and a past one last."""
    key = ScheduleKey(_SID, date.fromisoformat(day))

    due = due_at(key, _SIX, _CALENDAR)

    assert due - _SIX == timedelta(seconds=seconds)


def test_radio_schedules_of_two_days_are_on_air_at_once() -> None:
    """While two radio days overlap, both are due now."""
    radio, now = Sid("alder_radio_one"), datetime(2026, 1, 15, 5, 59, tzinfo=UTC)

    due = [due_at(ScheduleKey(radio, date(2026, 1, day)), now, _CALENDAR) for day in (14, 15)]

    assert due == [now, now]


@given(_keys, _instants)
def test_schedule_is_due_within_a_minute(key: ScheduleKey, now: datetime) -> None:
    """No schedule is due in the past, or more than a minute ahead."""
    due = due_at(key, now, _CALENDAR)

    assert now <= due <= now + timedelta(minutes=1)


@given(_instants, st.integers(0, 60), st.integers(0, 60))
def test_nearer_schedule_is_never_due_later(now: datetime, ahead: int, further: int) -> None:
    """Of two days that have not ended, the earlier one is due first, or at the same time."""
    near = ScheduleKey(_SID, now.date() + timedelta(days=ahead))
    far = ScheduleKey(_SID, near.date + timedelta(days=further))

    due = [due_at(key, now, _CALENDAR) for key in (near, far)]

    assert due == sorted(due)
