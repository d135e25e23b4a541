"""Where broadcast days begin and end, on ordinary days and where the clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid

_LONDON = BroadcastCalendar(ZoneInfo("Europe/London"), ("*radio*",))
_TELEVISION = Sid("alder_one_north")
_RADIO = Sid("alder_radio_one")

_dates = st.dates(date(2, 1, 1), date(9998, 12, 31))
_zones = st.sampled_from(
    ["Europe/London", "America/New_York", "Australia/Lord_Howe", "Pacific/Kiritimati", "Pacific/Pago_Pago"]
).map(ZoneInfo)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "start", "hours"),
    [
        pytest.param("2026-01-15", "2026-01-15T06:00", 24, id="winter"),
        pytest.param("2026-07-15", "2026-07-15T05:00", 24, id="summer"),
        pytest.param("2026-03-27", "2026-03-27T06:00", 24, id="before the clocks go forward"),
        pytest.param("2026-03-28", "2026-03-28T06:00", 23, id="clocks go forward"),
        pytest.param("2026-03-29", "2026-03-29T05:00", 24, id="after the clocks went forward"),
        pytest.param("2026-10-23", "2026-10-23T05:00", 24, id="before the clocks go back"),
        pytest.param("2026-10-24", "2026-10-24T05:00", 25, id="clocks go back"),
        pytest.param("2026-10-25", "2026-10-25T06:00", 24, id="after the clocks went back"),
    ],
)
def test_television_day_runs_from_six_to_six(day: str, start: str, hours: int) -> None:
    """A television day begins at 06:00 local time and lasts 24 hours, or 23 or 25 across a clock change."""
    key = ScheduleKey(_TELEVISION, date.fromisoformat(day))

    window = _LONDON.window(key)

    assert window.start == _instant(start)
    assert window.length == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("day", "start"),
    [
        pytest.param("2026-01-15", "2026-01-15T00:00", id="winter"),
        pytest.param("2026-07-15", "2026-07-14T23:00", id="summer"),
        pytest.param("2026-03-28", "2026-03-28T00:00", id="before the clocks go forward"),
        pytest.param("2026-03-29", "2026-03-29T00:00", id="clocks go forward"),
        pytest.param("2026-10-24", "2026-10-23T23:00", id="before the clocks go back"),
        pytest.param("2026-10-25", "2026-10-24T23:00", id="clocks go back"),
    ],
)
def test_radio_day_lasts_thirty_hours(day: str, start: str) -> None:
    """A radio day begins at 00:00 local time and lasts 30 elapsed hours, clock change or not."""
    key = ScheduleKey(_RADIO, date.fromisoformat(day))

    window = _LONDON.window(key)

    assert window.start == _instant(start)
    assert window.length == timedelta(hours=30)


@pytest.mark.parametrize(
    ("instant", "is_within"),
    [
        ("2026-03-28T05:59:59.999999", False),
        ("2026-03-28T06:00", True),
        ("2026-03-29T04:59:59.999999", True),
        ("2026-03-29T05:00", False),
    ],
)
def test_broadcast_day_is_half_open(instant: str, *, is_within: bool) -> None:
    """A broadcast day holds the instant at which it begins, and not that at which it ends."""
    window = _LONDON.window(ScheduleKey(_TELEVISION, date(2026, 3, 28)))

    found = window.contains(_instant(instant))

    assert found is is_within


@given(_zones, _dates)
def test_television_days_follow_each_other(zone: ZoneInfo, day: date) -> None:
    """Where one television day ends the next begins, so every instant is in exactly one."""
    calendar = BroadcastCalendar(zone)

    before = calendar.window(ScheduleKey(_TELEVISION, day - timedelta(days=1)))
    window = calendar.window(ScheduleKey(_TELEVISION, day))

    assert before.end == window.start


@given(_zones, _dates, st.sampled_from([_TELEVISION, _RADIO]))
def test_broadcast_day_is_in_utc(zone: ZoneInfo, day: date, sid: Sid) -> None:
    """Every day that a schedule key can name has a beginning and an end, in UTC."""
    calendar = BroadcastCalendar(zone, ("*radio*",))

    window = calendar.window(ScheduleKey(sid, day))

    assert (window.start.tzinfo, window.end.tzinfo) == (UTC, UTC)
    assert window.start < window.end


@pytest.mark.parametrize(
    ("sid", "patterns", "is_radio"),
    [
        ("alder_radio_one", ("*radio*",), True),
        ("radio_alder", ("*radio*",), True),
        ("alder_one", ("*radio*",), False),
        ("alder_radio_one", (), False),
        ("alder_radio_one", ("radio",), False),
        ("birch_fm", ("*radio*", "*_fm"), True),
    ],
)
def test_service_is_radio_where_a_pattern_matches(
    sid: str, patterns: tuple[str, ...], *, is_radio: bool
) -> None:
    """A service is radio where one of the patterns matches its whole id."""
    calendar = BroadcastCalendar(ZoneInfo("Europe/London"), patterns)

    found = calendar.is_radio(Sid(sid))

    assert found is is_radio
