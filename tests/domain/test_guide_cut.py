"""A partner's day: which broadcasts its guide shows."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from builders import a_broadcast
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
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.day_cut import (
    DayCut,
    GuideWindow,
    Straddling,
    cut_guide,
    days_apart,
    window_between,
)
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.published import Broadcast, PublishedSchedule

_PUBLISHED_AT = datetime(2026, 1, 10, tzinfo=UTC)


def _showing(number: int, start: datetime, length: timedelta = HOUR) -> Broadcast:
    return a_broadcast(number, start, length / timedelta(minutes=1), broadcast_pid=Pid(f"p{number:07}"))


def _schedule(
    day: date, showings: Iterable[Broadcast], *, sid: Sid = TELEVISION, seq: int = 1, hours: int = 0
) -> PublishedSchedule:
    ordered = tuple(sorted(showings, key=lambda showing: (showing.start, showing.broadcast_pid)))
    return PublishedSchedule(ScheduleKey(sid, day), seq, _PUBLISHED_AT + hours * HOUR, "e", ordered)


def _guide_window(cut: str, day: date, sid: Sid = TELEVISION) -> GuideWindow:
    return DayCut.parse(cut).guide_window(LONDON, sid, day)


@st.composite
def _weeks(draw: st.DrawFn) -> tuple[ZoneInfo, Sid, list[PublishedSchedule]]:
    """Five schedules in a row. Every showing begins in its broadcast day; some are in two adjacent schedules."""
    (zone, day), sid = draw(zones_and_days()), draw(services)
    calendar = BroadcastCalendar(zone, ("*radio*",))
    listed: list[list[Broadcast]] = [[] for _ in range(5)]
    for number in range(draw(st.integers(1, 8))):
        places = draw(st.sampled_from([(0,), (2,), (4,), (1, 2), (2, 3), (3, 4)]))
        for place in places:
            window = calendar.window(ScheduleKey(sid, day_after(day, place)))
            if window.length:
                after = draw(st.integers(0, int(window.length.total_seconds()) - 1))
                length = timedelta(minutes=draw(st.integers(1, 600)))
                listed[place].append(_showing(number, window.start + timedelta(seconds=after), length))
    hours = draw(st.lists(st.integers(0, 3), min_size=5, max_size=5))
    return (
        zone,
        sid,
        [_schedule(day_after(day, place), listed[place], sid=sid, hours=hours[place]) for place in range(5)],
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
        guide_window = cut.guide_window(calendar, sid, day_after(first, number))
        needed = [held[key] for key in guide_window.keys if key in held]
        found.append(
            (guide_window.window, cut_guide(guide_window, "", needed, straddling=straddling).broadcasts)
        )
    return found


@given(_weeks(), cuts)
def test_every_broadcast_is_in_exactly_one_window(
    week: tuple[ZoneInfo, Sid, list[PublishedSchedule]], text: str
) -> None:
    """By where it starts, each broadcast is in one day only, as the schedule has it that was published last."""
    zone, sid, schedules = week

    guides = _guides(zone, sid, schedules, text, Straddling.STARTS)

    shown = Counter(showing for _, showings in guides for showing in showings)
    assert shown == Counter(_expected(schedules).values())


@given(_weeks(), st.integers(1, 48))
def test_windows_between_instants_lose_and_double_nothing(
    week: tuple[ZoneInfo, Sid, list[PublishedSchedule]], hours: int
) -> None:
    """Windows of any length that follow each other have every broadcast once."""
    zone, sid, schedules = week
    calendar, held = BroadcastCalendar(zone, ("*radio*",)), {schedule.key: schedule for schedule in schedules}
    first = datetime.combine(schedules[0].key.date, time(), UTC) - 48 * HOUR
    shown: Counter[Broadcast] = Counter()
    for number in range(-(-9 * 24 // hours)):
        start = first + number * hours * HOUR
        window = window_between(calendar, sid, Interval(start, start + hours * HOUR))
        shown.update(cut_guide(window, "", [held[key] for key in window.keys if key in held]).broadcasts)

    assert shown == Counter(_expected(schedules).values())


@given(_weeks())
def test_days_apart_lose_and_double_nothing(week: tuple[ZoneInfo, Sid, list[PublishedSchedule]]) -> None:
    """One behind another they have every broadcast once, in order of start, and each day names its own schedule."""
    zone, sid, schedules = week
    calendar, held = BroadcastCalendar(zone, ("*radio*",)), {schedule.key: schedule for schedule in schedules}
    first = day_after(schedules[0].key.date, -2)

    guides = [
        cut_guide(window, "", [held[key] for key in window.keys if key in held])
        for window in days_apart(calendar, sid, first, day_after(first, 8))
    ]

    shown = [showing for guide in guides for showing in guide.broadcasts]
    assert Counter(shown) == Counter(_expected(schedules).values())
    assert shown == sorted(shown, key=lambda showing: (showing.start, showing.broadcast_pid))
    assert [version.date for guide in guides for version in guide.versions] == [key.date for key in held]


def test_days_apart_are_the_same_among_any_others() -> None:
    """So what is remembered of a day is of use on the next one, when other days are asked for."""
    for sid in (TELEVISION, RADIO):
        today = days_apart(LONDON, sid, JANUARY, day_after(JANUARY, 14))
        tomorrow = days_apart(LONDON, sid, day_after(JANUARY), day_after(JANUARY, 15))

        assert len(today) == len(tomorrow) == 15
        assert today[1:] == tomorrow[:-1]


@given(_weeks(), cuts)
def test_every_window_has_what_runs_in_it(
    week: tuple[ZoneInfo, Sid, list[PublishedSchedule]], text: str
) -> None:
    """By overlap, each day has exactly the broadcasts of which a part runs in it, each once and whole."""
    zone, sid, schedules = week

    guides = _guides(zone, sid, schedules, text, Straddling.OVERLAPS)

    for window, showings in guides:
        running = {s for s in _expected(schedules).values() if s.start < window.end and s.end > window.start}
        assert Counter(showings) == (Counter(running) if window.length else Counter())


@given(_weeks(), cuts, st.sampled_from(Straddling))
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
    stray = _showing(1, instant("2026-01-18T12:00"))
    schedule = _schedule(JANUARY, [stray])

    guide = cut_guide(_guide_window("broadcast", JANUARY), "Alder", [schedule])

    assert guide.broadcasts == (stray,)


def test_straddling_broadcast_belongs_to_the_day_it_starts_in() -> None:
    """A film over midnight is in the first day alone by its start, and in both by overlap, never cut."""
    film = _showing(1, instant("2026-01-15T23:00"), 3 * HOUR)
    schedules, days = [_schedule(JANUARY, [film])], (JANUARY, day_after(JANUARY))

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
    news = _showing(1, instant("2026-01-15T23:00"))

    guide = cut_guide(
        _guide_window("utc", day_after(JANUARY)),
        "",
        [_schedule(JANUARY, [news])],
        straddling=Straddling.OVERLAPS,
    )

    assert guide.broadcasts == ()


@pytest.mark.parametrize(("old_hours", "new_hours"), [(1, 2), (1, 1)])
def test_moved_broadcast_is_shown_once(old_hours: int, new_hours: int) -> None:
    """Of a broadcast in two schedules the one published last counts, and at the same time the later date's."""
    before, after = _showing(1, instant("2026-01-15T20:00")), _showing(1, instant("2026-01-16T20:00"))
    schedules = [
        _schedule(JANUARY, [before], hours=old_hours),
        _schedule(day_after(JANUARY), [after], hours=new_hours),
    ]

    shown = [
        cut_guide(_guide_window("utc", day_after(JANUARY, number)), "", schedules).broadcasts
        for number in (0, 1)
    ]

    assert shown == [(), (after,)]


@given(_weeks(), cuts, st.permutations(range(5)))
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
    early = _showing(1, instant("2026-01-16T03:00"))
    schedules = [
        _schedule(JANUARY, [early], sid=RADIO),
        _schedule(day_after(JANUARY), [early], sid=RADIO),
    ]

    guide = cut_guide(_guide_window("00:00", day_after(JANUARY), RADIO), "", schedules)

    assert guide.broadcasts == (early,)


def test_version_counts_every_schedule_and_removal() -> None:
    """A guide's version is the sum of all sequence numbers, and its instant that of the latest change."""
    schedules = [_schedule(JANUARY, [], seq=3, hours=1), _schedule(day_after(JANUARY), [], seq=4)]
    removed = [(5, _PUBLISHED_AT + 2 * HOUR)]

    guide = cut_guide(_guide_window("utc", JANUARY), "Alder", schedules, removed)

    assert (guide.version, guide.published_at) == (12, _PUBLISHED_AT + 2 * HOUR)
    assert (guide.sid, guide.name) == (TELEVISION, "Alder")


def test_guide_of_nothing_has_no_instant() -> None:
    """Where no schedule is there, a guide is empty, of version 0, and was never published."""
    guide = cut_guide(_guide_window("utc", JANUARY), "Alder", [])

    assert (guide.broadcasts, guide.version, guide.published_at) == ((), 0, None)
