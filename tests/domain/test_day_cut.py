"""A partner's days: where they begin and end, which schedules they need, and what is shown in them."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from builders import a_broadcast
from hypothesis import example, given
from hypothesis import strategies as st

from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.day_cut import DayCut, GuideWindow, Straddling, cut_guide
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.published import Broadcast, PublishedSchedule
from schedules_pipeline.errors import InvalidIdentifier

_LONDON = BroadcastCalendar(ZoneInfo("Europe/London"), ("*radio*",))
_TELEVISION = Sid("alder_one_north")
_RADIO = Sid("alder_radio_one")
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_JANUARY = date(2026, 1, 15)
_PUBLISHED_AT = datetime(2026, 1, 10, tzinfo=UTC)

_services = st.sampled_from([_TELEVISION, _RADIO])
_local_times = st.times().map(lambda at: f"{at:%H:%M}")
_cuts = st.one_of(st.just("utc"), _local_times, st.sampled_from(["00:00", "02:30", "06:00", "23:59"]))
_zone_names = st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"}))


def _day_after(day: date, number: int = 1) -> date:
    return day + number * _DAY


def _clock_changes(zone: ZoneInfo, year: int) -> list[date]:
    """The days of a year within which the zone's offset changes; the first of January where there is none."""
    days = [_day_after(date(year, 1, 1), number) for number in range(365)]
    offsets = [
        datetime.combine(day, time(0), tzinfo=zone).utcoffset() for day in [*days, _day_after(days[-1])]
    ]
    return [days[number] for number in range(365) if offsets[number] != offsets[number + 1]] or days[:1]


@st.composite
def _zones_and_days(draw: st.DrawFn) -> tuple[ZoneInfo, date]:
    """Any day, and often one beside which the clocks change, in any zone."""
    zone = ZoneInfo(draw(_zone_names))
    if draw(st.booleans()):
        return zone, draw(st.dates(date(2, 1, 1), date(9998, 12, 31)))
    change = draw(st.sampled_from(_clock_changes(zone, draw(st.integers(1840, 2040)))))
    return zone, _day_after(change, draw(st.integers(-2, 2)))


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _showing(number: int, start: datetime, length: timedelta = _HOUR) -> Broadcast:
    return a_broadcast(number, start, length / timedelta(minutes=1), broadcast_pid=Pid(f"p{number:07}"))


def _schedule(
    day: date, showings: Iterable[Broadcast], *, sid: Sid = _TELEVISION, seq: int = 1, hours: int = 0
) -> PublishedSchedule:
    ordered = tuple(sorted(showings, key=lambda showing: (showing.start, showing.broadcast_pid)))
    return PublishedSchedule(ScheduleKey(sid, day), seq, _PUBLISHED_AT + hours * _HOUR, "e", ordered)


def _guide_window(cut: str, day: date, sid: Sid = _TELEVISION) -> GuideWindow:
    return DayCut.parse(cut).guide_window(_LONDON, sid, day)


# How cuts are written.


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
    """What is no cut is refused, and the error says what one looks like."""
    with pytest.raises(InvalidIdentifier, match="broadcast, utc, or a local time as 05:30"):
        DayCut.parse(text)


# Where windows begin and end.


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
    window = DayCut.parse(cut).window(_LONDON, _TELEVISION, date.fromisoformat(day))

    assert window == (_instant(start), _instant(start) + hours * _HOUR)


def test_radio_has_thirty_hours_only_as_broadcast_day() -> None:
    """Radio's broadcast day lasts 30 hours; by any other cut its day ends where the next begins."""
    hours = [
        DayCut.parse(cut).window(_LONDON, _RADIO, _JANUARY).length / _HOUR
        for cut in ("broadcast", "utc", "00:00")
    ]

    assert hours == [30, 24, 24]


def test_day_that_a_zone_left_out_is_empty() -> None:
    """Samoa had no 30 December 2011: that window is empty, and those beside it touch."""
    samoa = BroadcastCalendar(ZoneInfo("Pacific/Apia"))
    days = [date(2011, 12, 29), date(2011, 12, 30), date(2011, 12, 31)]

    windows = [DayCut.parse("06:00").window(samoa, _TELEVISION, day) for day in days]

    assert [window.length / _HOUR for window in windows] == [24, 0, 24]
    assert windows[0].end == windows[2].start


@given(_zones_and_days(), _cuts, _services)
@example((ZoneInfo("Pacific/Apia"), date(2011, 12, 30)), "02:30", _TELEVISION)
@example((ZoneInfo("America/Juneau"), date(1867, 10, 18)), "02:30", _TELEVISION)
@example((ZoneInfo("Australia/Lord_Howe"), date(2026, 10, 4)), "02:15", _RADIO)
def test_windows_follow_each_other(place: tuple[ZoneInfo, date], text: str, sid: Sid) -> None:
    """By UTC and by local time, no window ends before it begins, and each ends where the next begins."""
    zone, day = place
    cut, calendar = DayCut.parse(text), BroadcastCalendar(zone, ("*radio*",))

    window, following = cut.window(calendar, sid, day), cut.window(calendar, sid, _day_after(day))

    assert window.start <= window.end == following.start
    assert (window.start.tzinfo, window.end.tzinfo) == (UTC, UTC)


@given(_zones_and_days())
def test_television_days_follow_each_other_as_broadcast_cut(place: tuple[ZoneInfo, date]) -> None:
    """A television service's broadcast day ends where its next begins, also as a partner's cut."""
    zone, day = place
    cut, calendar = DayCut.parse("broadcast"), BroadcastCalendar(zone, ("*radio*",))

    window, following = (cut.window(calendar, _TELEVISION, each) for each in (day, _day_after(day)))

    assert window.end == following.start


# Which schedules are looked at.


@pytest.mark.parametrize(
    ("cut", "sid", "day", "days"),
    [
        pytest.param("broadcast", _TELEVISION, _JANUARY, (0, 0), id="the schedule of that name"),
        pytest.param("broadcast", _RADIO, _JANUARY, (0, 0), id="radio: the schedule of that name"),
        pytest.param("06:00", _TELEVISION, _JANUARY, (-2, 1), id="one touched"),
        pytest.param("utc", _TELEVISION, _JANUARY, (-3, 1), id="two touched"),
        pytest.param("10:00", _TELEVISION, _JANUARY, (-2, 2), id="two touched, a later one"),
        pytest.param("00:00", _RADIO, _JANUARY, (-3, 1), id="radio: the day before ends within"),
        pytest.param("utc", _RADIO, date(2026, 7, 15), (-3, 2), id="radio by UTC in summer: three touched"),
    ],
)
def test_schedules_that_touch_the_window_and_their_neighbours_are_looked_at(
    cut: str, sid: Sid, day: date, days: tuple[int, int]
) -> None:
    """One schedule for the broadcast day; for other cuts those that touch it, two more before and one after."""
    keys = DayCut.parse(cut).keys_touching(_LONDON, sid, day)

    first, last = days
    assert list(keys) == [ScheduleKey(sid, _day_after(day, number)) for number in range(first, last + 1)]


@given(_zones_and_days(), _cuts, _services)
@example((ZoneInfo("Pacific/Apia"), date(2011, 12, 30)), "02:30", _TELEVISION)
def test_few_schedules_are_looked_at(place: tuple[ZoneInfo, date], text: str, sid: Sid) -> None:
    """A day needs from 4 to 6 schedules in a row, in any zone, and that of its own date is among them."""
    zone, day = place

    keys = DayCut.parse(text).keys_touching(BroadcastCalendar(zone, ("*radio*",)), sid, day)

    assert 4 <= len(keys) <= 6
    assert ScheduleKey(sid, day) in keys
    assert list(keys) == [ScheduleKey(sid, _day_after(keys[0].date, number)) for number in range(len(keys))]


@given(_zones_and_days(), _cuts, _services, st.integers(0, 3))
def test_stretch_of_days_is_what_its_days_are(
    place: tuple[ZoneInfo, date], text: str, sid: Sid, more: int
) -> None:
    """A window begins with its first day, ends with its last, and needs every schedule that one of them needs."""
    zone, day = place
    cut, calendar = DayCut.parse(text), BroadcastCalendar(zone, ("*radio*",))
    days = [_day_after(day, number) for number in range(more + 1)]

    guide_window = cut.guide_window(calendar, sid, days[0], days[-1])

    windows = [cut.window(calendar, sid, each) for each in days]
    assert guide_window.window == Interval(windows[0].start, windows[-1].end)
    assert set(guide_window.keys) == {key for each in days for key in cut.keys_touching(calendar, sid, each)}


# What is shown.


@st.composite
def _weeks(draw: st.DrawFn) -> tuple[ZoneInfo, Sid, list[PublishedSchedule]]:
    """Five schedules in a row. Every showing begins in its broadcast day; some are in two adjacent schedules."""
    (zone, day), sid = draw(_zones_and_days()), draw(_services)
    calendar = BroadcastCalendar(zone, ("*radio*",))
    listed: list[list[Broadcast]] = [[] for _ in range(5)]
    for number in range(draw(st.integers(1, 8))):
        places = draw(st.sampled_from([(0,), (2,), (4,), (1, 2), (2, 3), (3, 4)]))
        for place in places:
            window = calendar.window(ScheduleKey(sid, _day_after(day, place)))
            if window.length:
                after = draw(st.integers(0, int(window.length.total_seconds()) - 1))
                length = timedelta(minutes=draw(st.integers(1, 600)))
                listed[place].append(_showing(number, window.start + timedelta(seconds=after), length))
    hours = draw(st.lists(st.integers(0, 3), min_size=5, max_size=5))
    return (
        zone,
        sid,
        [_schedule(_day_after(day, place), listed[place], sid=sid, hours=hours[place]) for place in range(5)],
    )


def _expected(schedules: list[PublishedSchedule]) -> dict[Pid, Broadcast]:
    """Another way to the same: for each pid the greatest of its listings."""
    listings: dict[Pid, list[tuple[datetime, date, Broadcast]]] = {}
    for schedule in schedules:
        for showing in schedule.broadcasts:
            listing = (schedule.published_at, schedule.key.date, showing)
            listings.setdefault(showing.broadcast_pid, []).append(listing)
    return {pid: max(found, key=lambda listing: listing[:2])[2] for pid, found in listings.items()}


def _guides(
    zone: ZoneInfo, sid: Sid, schedules: list[PublishedSchedule], text: str, straddling: Straddling
) -> list[tuple[Interval, tuple[Broadcast, ...]]]:
    """Each of the days around these schedules, cut from those that the cut says are needed."""
    cut, calendar = DayCut.parse(text), BroadcastCalendar(zone, ("*radio*",))
    held = {schedule.key: schedule for schedule in schedules}
    first = schedules[0].key.date
    found = []
    for number in range(-4, 10):
        guide_window = cut.guide_window(calendar, sid, _day_after(first, number))
        needed = [held[key] for key in guide_window.keys if key in held]
        found.append(
            (guide_window.window, cut_guide(guide_window, "", needed, straddling=straddling).broadcasts)
        )
    return found


@given(_weeks(), _cuts)
def test_every_broadcast_is_in_exactly_one_window(
    week: tuple[ZoneInfo, Sid, list[PublishedSchedule]], text: str
) -> None:
    """By where it starts, each broadcast is in one day only, as the schedule has it that was published last."""
    zone, sid, schedules = week

    guides = _guides(zone, sid, schedules, text, Straddling.STARTS)

    shown = Counter(showing for _, showings in guides for showing in showings)
    assert shown == Counter(_expected(schedules).values())


@given(_weeks(), _cuts)
def test_every_window_has_what_runs_in_it(
    week: tuple[ZoneInfo, Sid, list[PublishedSchedule]], text: str
) -> None:
    """By overlap, each day has exactly the broadcasts of which a part runs in it, each once and whole."""
    zone, sid, schedules = week

    guides = _guides(zone, sid, schedules, text, Straddling.OVERLAPS)

    for window, showings in guides:
        running = {s for s in _expected(schedules).values() if s.start < window.end and s.end > window.start}
        assert Counter(showings) == (Counter(running) if window.length else Counter())


@given(_weeks(), _cuts, st.sampled_from(Straddling))
def test_showings_are_in_order(
    week: tuple[ZoneInfo, Sid, list[PublishedSchedule]], text: str, straddling: Straddling
) -> None:
    """A guide lists by start, then by pid."""
    guides = _guides(*week, text, straddling)

    for _, showings in guides:
        assert list(showings) == sorted(showings, key=lambda showing: (showing.start, showing.broadcast_pid))


@given(_weeks(), st.sampled_from(Straddling))
def test_broadcast_day_is_the_schedule_as_it_is_published(
    week: tuple[ZoneInfo, Sid, list[PublishedSchedule]], straddling: Straddling
) -> None:
    """By the broadcast day a guide lists exactly what the published schedule lists, and has its number."""
    zone, sid, schedules = week
    calendar = BroadcastCalendar(zone, ("*radio*",))

    for schedule in schedules:
        guide_window = DayCut.parse("broadcast").guide_window(calendar, sid, schedule.key.date)
        guide = cut_guide(guide_window, "Alder", [schedule], straddling=straddling)

        assert guide.broadcasts == schedule.broadcasts
        assert (guide.version, guide.published_at) == (schedule.seq, schedule.published_at)


def test_broadcast_day_keeps_what_lies_outside_of_it() -> None:
    """By the broadcast day a guide also lists what its schedule lists at another time altogether."""
    stray = _showing(1, _instant("2026-01-18T12:00"))
    schedule = _schedule(_JANUARY, [stray])

    guide = cut_guide(_guide_window("broadcast", _JANUARY), "Alder", [schedule])

    assert guide.broadcasts == (stray,)


def test_straddling_broadcast_belongs_to_the_day_it_starts_in() -> None:
    """A film over midnight is in the first day alone by its start, and in both by overlap, never cut."""
    film = _showing(1, _instant("2026-01-15T23:00"), 3 * _HOUR)
    schedules, days = [_schedule(_JANUARY, [film])], (_JANUARY, _day_after(_JANUARY))

    shown = {
        straddling: [
            cut_guide(_guide_window("utc", day), "", schedules, straddling=straddling).broadcasts
            for day in days
        ]
        for straddling in Straddling
    }

    assert shown == {Straddling.STARTS: [(film,), ()], Straddling.OVERLAPS: [(film,), (film,)]}


def test_broadcast_that_ends_with_the_day_does_not_touch_the_next() -> None:
    """By overlap, what ends at midnight is not in the day that begins there."""
    news = _showing(1, _instant("2026-01-15T23:00"))

    guide = cut_guide(
        _guide_window("utc", _day_after(_JANUARY)),
        "",
        [_schedule(_JANUARY, [news])],
        straddling=Straddling.OVERLAPS,
    )

    assert guide.broadcasts == ()


@pytest.mark.parametrize(("old_hours", "new_hours"), [(1, 2), (1, 1)])
def test_moved_broadcast_is_shown_once(old_hours: int, new_hours: int) -> None:
    """Of a broadcast in two schedules the one published last counts, and at the same time the later date's."""
    before, after = _showing(1, _instant("2026-01-15T20:00")), _showing(1, _instant("2026-01-16T20:00"))
    schedules = [
        _schedule(_JANUARY, [before], hours=old_hours),
        _schedule(_day_after(_JANUARY), [after], hours=new_hours),
    ]

    shown = [
        cut_guide(_guide_window("utc", _day_after(_JANUARY, number)), "", schedules).broadcasts
        for number in (0, 1)
    ]

    assert shown == [(), (after,)]


@given(_weeks(), _cuts, st.permutations(range(5)))
def test_order_of_the_schedules_does_not_matter(
    week: tuple[ZoneInfo, Sid, list[PublishedSchedule]], text: str, order: list[int]
) -> None:
    """A guide depends on the schedules, and not on the order in which they are given."""
    zone, sid, schedules = week
    guide_window = DayCut.parse(text).guide_window(BroadcastCalendar(zone), sid, schedules[2].key.date)

    guide = cut_guide(guide_window, "Alder", [schedules[number] for number in order])

    assert guide == cut_guide(guide_window, "Alder", schedules)


def test_radio_broadcast_of_two_days_is_shown_once() -> None:
    """What radio's 30-hour day and the next both list is once in a partner's day."""
    early = _showing(1, _instant("2026-01-16T03:00"))
    schedules = [
        _schedule(_JANUARY, [early], sid=_RADIO),
        _schedule(_day_after(_JANUARY), [early], sid=_RADIO),
    ]

    guide = cut_guide(_guide_window("00:00", _day_after(_JANUARY), _RADIO), "", schedules)

    assert guide.broadcasts == (early,)


def test_version_counts_every_schedule_and_removal() -> None:
    """A guide's version is the sum of all sequence numbers, and its instant that of the latest change."""
    schedules = [_schedule(_JANUARY, [], seq=3, hours=1), _schedule(_day_after(_JANUARY), [], seq=4)]
    removed = [(5, _PUBLISHED_AT + 2 * _HOUR)]

    guide = cut_guide(_guide_window("utc", _JANUARY), "Alder", schedules, removed)

    assert (guide.version, guide.published_at) == (12, _PUBLISHED_AT + 2 * _HOUR)
    assert (guide.sid, guide.name) == (_TELEVISION, "Alder")


def test_guide_of_nothing_has_no_instant() -> None:
    """Where no schedule is there, a guide is empty, of version 0, and was never published."""
    guide = cut_guide(_guide_window("utc", _JANUARY), "Alder", [])

    assert (guide.broadcasts, guide.version, guide.published_at) == ((), 0, None)
