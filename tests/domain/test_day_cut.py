"""A partner's day: how a cut is written, which window it gives, and which schedules it needs."""

from datetime import UTC, date
from zoneinfo import ZoneInfo

import pytest
from domain.day_cuts import (
    HOUR,
    JANUARY,
    LONDON,
    RADIO,
    TELEVISION,
    cuts,
    day_after,
    instant,
    services,
    zones_and_days,
)
from hypothesis import example, given
from hypothesis import strategies as st

from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.day_cut import DayCut
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.errors import InvalidIdentifier


@pytest.mark.parametrize("text", ["broadcast", "utc", "00:00", "05:30", "23:59"])
def test_cut_is_written_as_it_was_read(text: str) -> None:
    """Every cut gives back the text that it was read from."""
    cut = DayCut.parse(text)

    written = str(cut)

    assert written == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "UTC",
        "Broadcast",
        "24:00",
        "6:00",
        "06:00:00",
        "06:60",
        "0600",
        "06:00Z",
        " utc",
        "06:00\n",
        "\N{ARABIC-INDIC DIGIT ZERO}6:00",
    ],
)
def test_other_text_is_no_cut(text: str) -> None:
    """A text that is no cut is rejected, and the error shows the accepted forms."""
    with pytest.raises(InvalidIdentifier, match="broadcast, utc, or a local time as 05:30"):
        DayCut.parse(text)


@pytest.mark.parametrize(
    ("cut", "day", "start", "hours"),
    [
        pytest.param("broadcast", "2026-01-15", "2026-01-15T06:00", 24, id="broadcast, winter"),
        pytest.param("broadcast", "2026-03-28", "2026-03-28T06:00", 23, id="broadcast, clocks go forward"),
        pytest.param("utc", "2026-07-15", "2026-07-15T00:00", 24, id="utc, summer"),
        pytest.param("utc", "2026-03-29", "2026-03-29T00:00", 24, id="utc, clocks go forward"),
        pytest.param("05:30", "2026-07-15", "2026-07-15T04:30", 24, id="local time, summer"),
        pytest.param("00:00", "2026-03-29", "2026-03-29T00:00", 23, id="local time, clocks go forward"),
        pytest.param("00:00", "2026-10-25", "2026-10-24T23:00", 25, id="local time, clocks go back"),
        pytest.param("01:30", "2026-03-28", "2026-03-28T01:30", 24, id="up to a time that is skipped"),
        pytest.param("01:30", "2026-03-29", "2026-03-29T01:30", 23, id="from a time that is skipped"),
        pytest.param("01:30", "2026-10-24", "2026-10-24T00:30", 24, id="up to a time that comes twice"),
        pytest.param("01:30", "2026-10-25", "2026-10-25T00:30", 25, id="from a time that comes twice"),
    ],
)
def test_window_begins_at_the_cut(cut: str, day: str, start: str, hours: int) -> None:
    """A skipped local time is taken as if the clocks stood yet, and of one that comes twice the first counts."""
    window = DayCut.parse(cut).window(LONDON, TELEVISION, date.fromisoformat(day))

    assert window == (instant(start), instant(start) + hours * HOUR)


def test_radio_has_thirty_hours_only_as_broadcast_day() -> None:
    """Radio's broadcast day lasts 30 hours; by any other cut its day ends where the next begins."""
    hours = [
        DayCut.parse(cut).window(LONDON, RADIO, JANUARY).length / HOUR
        for cut in ("broadcast", "utc", "00:00")
    ]

    assert hours == [30, 24, 24]


def test_day_that_a_zone_left_out_is_empty() -> None:
    """Samoa had no 30 December 2011: that window is empty, and those beside it touch."""
    samoa = BroadcastCalendar(ZoneInfo("Pacific/Apia"))
    days = [date(2011, 12, 29), date(2011, 12, 30), date(2011, 12, 31)]

    windows = [DayCut.parse("06:00").window(samoa, TELEVISION, day) for day in days]

    assert [window.length / HOUR for window in windows] == [24, 0, 24]
    assert windows[0].end == windows[2].start


@given(zones_and_days(), cuts, services)
@example((ZoneInfo("Pacific/Apia"), date(2011, 12, 30)), "02:30", TELEVISION)
@example((ZoneInfo("America/Juneau"), date(1867, 10, 18)), "02:30", TELEVISION)
@example((ZoneInfo("Australia/Lord_Howe"), date(2026, 10, 4)), "02:15", RADIO)
def test_windows_follow_each_other(place: tuple[ZoneInfo, date], text: str, sid: Sid) -> None:
    """By UTC and by local time, no window ends before it begins, and each ends where the next begins."""
    zone, day = place
    cut, calendar = DayCut.parse(text), BroadcastCalendar(zone, ("*radio*",))

    window, following = cut.window(calendar, sid, day), cut.window(calendar, sid, day_after(day))

    assert window.start <= window.end == following.start
    assert (window.start.tzinfo, window.end.tzinfo) == (UTC, UTC)


@given(zones_and_days())
def test_television_days_follow_each_other_as_broadcast_cut(place: tuple[ZoneInfo, date]) -> None:
    """A television service's broadcast day ends where its next begins, also as a partner's cut."""
    zone, day = place
    cut, calendar = DayCut.parse("broadcast"), BroadcastCalendar(zone, ("*radio*",))

    window, following = (cut.window(calendar, TELEVISION, each) for each in (day, day_after(day)))

    assert window.end == following.start


@pytest.mark.parametrize(
    ("cut", "sid", "day", "days"),
    [
        pytest.param("broadcast", TELEVISION, JANUARY, (0, 0), id="the schedule of that name"),
        pytest.param("broadcast", RADIO, JANUARY, (0, 0), id="radio: the schedule of that name"),
        pytest.param("06:00", TELEVISION, JANUARY, (-2, 1), id="one touched"),
        pytest.param("utc", TELEVISION, JANUARY, (-3, 1), id="two touched"),
        pytest.param("10:00", TELEVISION, JANUARY, (-2, 2), id="two touched, a later one"),
        pytest.param("00:00", RADIO, JANUARY, (-3, 1), id="radio: the day before ends within"),
        pytest.param("utc", RADIO, date(2026, 7, 15), (-3, 2), id="radio by UTC in summer: three touched"),
    ],
)
def test_schedules_that_touch_the_window_and_their_neighbours_are_looked_at(
    cut: str, sid: Sid, day: date, days: tuple[int, int]
) -> None:
    """One schedule for the broadcast day; for other cuts those that touch it, two more before and one after."""
    keys = DayCut.parse(cut).keys_touching(LONDON, sid, day)

    first, last = days
    assert list(keys) == [ScheduleKey(sid, day_after(day, number)) for number in range(first, last + 1)]


@given(zones_and_days(), cuts, services)
@example((ZoneInfo("Pacific/Apia"), date(2011, 12, 30)), "02:30", TELEVISION)
def test_few_schedules_are_looked_at(place: tuple[ZoneInfo, date], text: str, sid: Sid) -> None:
    """A day needs from 4 to 6 schedules in a row, in any zone, and that of its own date is among them."""
    zone, day = place

    keys = DayCut.parse(text).keys_touching(BroadcastCalendar(zone, ("*radio*",)), sid, day)

    assert 4 <= len(keys) <= 6
    assert ScheduleKey(sid, day) in keys
    assert list(keys) == [ScheduleKey(sid, day_after(keys[0].date, number)) for number in range(len(keys))]


@given(zones_and_days(), cuts, services, st.integers(0, 3))
def test_stretch_of_days_is_what_its_days_are(
    place: tuple[ZoneInfo, date], text: str, sid: Sid, more: int
) -> None:
    """A window begins with its first day, ends with its last, and needs every schedule that one of them needs."""
    zone, day = place
    cut, calendar = DayCut.parse(text), BroadcastCalendar(zone, ("*radio*",))
    days = [day_after(day, number) for number in range(more + 1)]

    guide_window = cut.guide_window(calendar, sid, days[0], days[-1])

    windows = [cut.window(calendar, sid, each) for each in days]
    assert guide_window.window == Interval(windows[0].start, windows[-1].end)
    assert set(guide_window.keys) == {key for each in days for key in cut.keys_touching(calendar, sid, each)}
