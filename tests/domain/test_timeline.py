"""Gaps, overlaps and strays within a day, and between it and its neighbours."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate, pairwise
from zoneinfo import ZoneInfo

import pytest
from builders import a_slot
from hypothesis import example, given
from hypothesis import strategies as st

from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.findings import Concern, Finding
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.schedule import Slot, in_order
from schedules_pipeline.domain.timeline import Day, find_timing_concerns

_MIDNIGHT = datetime(2026, 1, 15, tzinfo=UTC)
_A_DAY = timedelta(days=1)
_DAY = Interval(_MIDNIGHT + timedelta(hours=6), _MIDNIGHT + timedelta(hours=30))
_NEXT = Interval(_DAY.end, _DAY.end + _A_DAY)
_PREVIOUS = Interval(_DAY.start - _A_DAY, _DAY.start)
_CALENDAR = BroadcastCalendar(ZoneInfo("Europe/London"), ("*radio*",))


def _pid(number: int) -> Pid:
    return Pid(f"p{number:07}")


def _broadcasts(*minutes: tuple[int, int], first: int = 0) -> list[Slot]:
    """Numbered broadcasts, each with the minutes of the day at which it starts and ends."""
    return [
        a_slot(number, _MIDNIGHT + timedelta(minutes=start), end - start, broadcast_pid=_pid(number))
        for number, (start, end) in enumerate(minutes, start=first)
    ]


def _concerns_within(broadcasts: Sequence[Slot]) -> list[Finding]:
    """The concerns of a day that the next one adjoins."""
    last = max((slot.end for slot in broadcasts), default=_DAY.end)
    following = a_slot(999, last, 30, broadcast_pid=_pid(999))
    return find_timing_concerns(Day(_PREVIOUS), Day(_DAY, broadcasts), Day(_NEXT, [following]))


@pytest.mark.parametrize(
    ("minutes", "found"),
    [
        pytest.param([], [(Concern.GAP, None)], id="empty"),
        pytest.param([(360, 390)], [], id="one broadcast"),
        pytest.param([(360, 390), (390, 400), (400, 480)], [], id="seamless"),
        pytest.param([(360, 390), (400, 410)], [(Concern.GAP, 1)], id="gap"),
        pytest.param([(360, 390), (380, 410)], [(Concern.OVERLAP, 1)], id="overlap"),
        pytest.param([(360, 390), (360, 390)], [(Concern.OVERLAP, 1)], id="same slot"),
        pytest.param(
            [(360, 480), (390, 400), (400, 410), (480, 500)],
            [(Concern.OVERLAP, 1), (Concern.OVERLAP, 2)],
            id="two within a long one, then seamless",
        ),
        pytest.param(
            [(360, 480), (390, 400), (490, 500)],
            [(Concern.OVERLAP, 1), (Concern.GAP, 2)],
            id="one within a long one, then a gap",
        ),
        pytest.param([(359, 380), (380, 390)], [(Concern.OUTSIDE_DAY, 0)], id="starts before the day"),
        pytest.param(
            [(360, 1800), (1800, 1810)], [(Concern.OUTSIDE_DAY, 1)], id="starts at the end of the day"
        ),
        pytest.param([(1799, 1990)], [], id="runs on beyond the day"),
    ],
)
def test_timing_concerns_are(minutes: list[tuple[int, int]], found: list[tuple[Concern, int | None]]) -> None:
    """A broadcast is named that starts outside the day, or elsewhere than where the latest end so far is."""
    broadcasts = _broadcasts(*minutes)

    concerns = _concerns_within(broadcasts)

    assert [(c.concern, c.broadcast_pid) for c in concerns] == [
        (c, None if number is None else _pid(number)) for c, number in found
    ]


def test_timing_concerns_say_how_much_and_when() -> None:
    """The detail gives the seconds between the two broadcasts and when the later one starts."""
    broadcasts = _broadcasts((300, 370), (375, 390), (380, 390))

    concerns = _concerns_within(broadcasts)

    assert [concern.detail for concern in concerns] == [
        "starts at 2026-01-15T05:00:00Z",
        "300 s before 2026-01-15T06:15:00Z",
        "600 s before 2026-01-15T06:20:00Z",
    ]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_broadcasts_that_follow_each_other_raise_no_concern(lengths: list[int]) -> None:
    """Where each broadcast starts at the end of the one before it, and within the day, nothing is found."""
    edges = accumulate(lengths, initial=360)
    broadcasts = _broadcasts(*pairwise(edges))

    concerns = _concerns_within(broadcasts)

    assert concerns == []


@given(st.lists(st.tuples(st.integers(360, 1799), st.integers(1, 300)), min_size=1, max_size=12))
def test_every_minute_without_a_broadcast_lies_in_a_gap(slots: list[tuple[int, int]]) -> None:
    """The gaps together are as long as the time between first start and last end that nothing covers."""
    broadcasts = _broadcasts(*sorted((start, start + length) for start, length in slots))
    covered = {minute for start, length in slots for minute in range(start, start + length)}

    concerns = _concerns_within(broadcasts)

    gaps = [int(c.detail.partition(" ")[0]) for c in concerns if c.concern is Concern.GAP]
    uncovered = max(covered) + 1 - min(covered) - len(covered)
    assert sum(gaps) == uncovered * 60


def _seams(before: Sequence[Slot], own: Sequence[Slot], after: Sequence[Slot]) -> list[str]:
    found = find_timing_concerns(Day(_PREVIOUS, before), Day(_DAY, own), Day(_NEXT, after))
    assert all(finding.concern.is_at_seam for finding in found)
    return [finding.detail for finding in found]


def test_a_day_that_runs_into_the_next() -> None:
    """On 2025-02-23 a service ran until 07:35, and its next day began at 06:00: both days say so."""
    own, after = _broadcasts((360, 1895)), _broadcasts((1800, 1900), (1900, 3240), first=5)

    assert _seams([], own, after) == ["ends 95 minutes after the next day begins, at 2026-01-16T06:00:00Z"]
    seen_from_next = find_timing_concerns(Day(_DAY, own), Day(_NEXT, after), Day(_after(_NEXT)))
    assert [finding.detail for finding in seen_from_next] == [
        "begins 95 minutes before the previous day ends, at 2026-01-16T06:00:00Z"
    ]


def test_a_day_that_begins_late() -> None:
    """The day of 2024-12-09 ended at 06:00, and the next one began at 09:25: both days say so."""
    own, after = _broadcasts((360, 1800)), _broadcasts((2005, 3240), first=5)

    assert _seams([], own, after) == ["ends 205 minutes before the next day begins, at 2026-01-16T09:25:00Z"]
    seen_from_next = find_timing_concerns(Day(_DAY, own), Day(_NEXT, after), Day(_after(_NEXT)))
    assert [finding.detail for finding in seen_from_next] == [
        "begins 205 minutes after the previous day ends, at 2026-01-16T09:25:00Z"
    ]


def test_a_programme_over_several_of_the_next_day_names_each() -> None:
    """Only the first is the begin of the next day."""
    after = _broadcasts((1800, 1830), (1830, 3240), first=5)

    assert _seams([], _broadcasts((360, 1890)), after) == [
        "ends 90 minutes after the next day begins, at 2026-01-16T06:00:00Z",
        "overlap of 60 minutes with a broadcast of the next day, at 2026-01-16T06:30:00Z",
    ]


def test_a_film_across_the_edge_that_the_next_day_adjoins_is_no_finding() -> None:
    """A service may change its day hours after the broadcast day does."""
    assert _seams([], _broadcasts((360, 1990)), _broadcasts((1990, 3300), first=5)) == []


def test_the_end_is_judged_without_a_next_day_and_the_begin_is_not() -> None:
    """Without neighbours a late begin may be covered by the previous day; an early end can be covered by none."""
    assert _seams([], _broadcasts((400, 1740)), []) == [
        "ends 60 minutes before the next broadcast day begins, at 2026-01-16T06:00:00Z"
    ]


def test_a_removed_next_day_is_a_gap() -> None:
    """A next day that has never had a schedule is no finding; one that was removed is."""
    removed = Day(_NEXT, was_removed=True)

    findings = find_timing_concerns(Day(_PREVIOUS), Day(_DAY, _broadcasts((360, 1800))), removed)

    assert [finding.detail for finding in findings] == ["the schedule of the next day was removed"]
    assert _seams([], _broadcasts((360, 1800)), []) == []


def test_a_broadcast_in_two_days_of_television() -> None:
    """It stands outside one of them, and both name it."""
    own, after = _broadcasts((360, 1800), (1800, 1830)), _broadcasts((1800, 1830), (1830, 3240), first=1)

    found = find_timing_concerns(Day(_PREVIOUS), Day(_DAY, own), Day(_NEXT, after))

    assert [(f.concern, f.broadcast_pid) for f in found] == [
        (Concern.IN_TWO_DAYS, _pid(1)),
        (Concern.OUTSIDE_DAY, _pid(1)),
    ]


def _after(window: Interval) -> Interval:
    return Interval(window.end, window.end + _A_DAY)


def _radio(*broadcasts: Sequence[Slot]) -> list[Day]:
    """Days of radio from 15 January on: 30 hours each."""
    key = ScheduleKey(Sid("birch_radio"), date(2026, 1, 15))
    return [Day(_CALENDAR.window(key.after(n)), found) for n, found in enumerate(broadcasts)]


_SHARED = ((1440, 1500), (1500, 1800))


def test_days_of_radio_may_both_list_the_six_hours_that_they_share() -> None:
    """The same broadcasts at the same times in both days are right."""
    own = [*_broadcasts((0, 1440)), *_broadcasts(*_SHARED, first=1)]
    after = [*_broadcasts(*_SHARED, first=1), *_broadcasts((1800, 3240), first=3)]
    days = _radio(own, after, [])
    unknown = Day(Interval(days[0].window.start - _A_DAY, days[0].window.start))

    assert find_timing_concerns(unknown, days[0], days[1]) == []
    assert find_timing_concerns(*days) == []


@pytest.mark.parametrize(
    ("other", "concerns"),
    [
        pytest.param(
            _broadcasts((1440, 1470), (1500, 1800), first=1),
            {Concern.OTHER_TIMES, Concern.OVERLAP_AT_SEAM},
            id="the same broadcast at other times",
        ),
        pytest.param(
            [*_broadcasts((1440, 1500), first=7), *_broadcasts((1500, 1800), first=2)],
            {Concern.OVERLAP_AT_SEAM},
            id="different broadcasts at one moment",
        ),
        pytest.param(
            [slot.blanked() for slot in _broadcasts(*_SHARED, first=1)],
            {Concern.OTHER_PROGRAMME},
            id="blanked in one day only",
        ),
    ],
)
def test_contradictions_of_radio_days(other: Sequence[Slot], concerns: set[Concern]) -> None:
    """In the hours that two days share, both must say the same; each of the two days has the finding."""
    own = [*_broadcasts((0, 1440)), *_broadcasts(*_SHARED, first=1)]
    days = _radio(own, [*other, *_broadcasts((1800, 3240), first=3)], [])
    unknown = Day(Interval(days[0].window.start - _A_DAY, days[0].window.start))

    assert {f.concern for f in find_timing_concerns(unknown, days[0], days[1])} == concerns
    assert {f.concern for f in find_timing_concerns(days[0], days[1], days[2])} == concerns


_PLACES = st.lists(st.tuples(st.integers(0, 5 * 1440 - 1), st.integers(1, 1440)), min_size=1, max_size=25)


@given(_PLACES, st.sets(st.integers(1, 5 * 1440 - 1), min_size=1, max_size=4))
@example([(0, 3), (1, 1), (3, 1)], {1, 2})
def test_a_timeline_cut_anywhere_has_the_findings_of_the_uncut_one(
    places: list[tuple[int, int]], cuts: set[int]
) -> None:
    """Each gap and overlap of the whole is found by a day that has one of the two broadcasts, and no others are."""
    slots = in_order(_broadcasts(*((start, start + length) for start, length in places)))
    edges = sorted({0, *cuts, 6 * 1440})
    windows = [Interval(*(_MIDNIGHT + timedelta(minutes=m) for m in pair)) for pair in pairwise(edges)]
    cut = [Day(window, [s for s in slots if window.contains(s.start)]) for window in windows]
    cut = _without_long_and_empty(cut)
    whole = in_order(slot for day in cut for slot in day.broadcasts)

    assert _found([Day(Interval(windows[0].start, windows[-1].end), whole)]) == _found(cut)


def _without_long_and_empty(days: Sequence[Day]) -> list[Day]:
    """Days whose broadcasts end before the day after the next one begins; an empty day has none to judge."""
    kept = [day for day in days if day.broadcasts]
    ends = [day.broadcasts[0].start - timedelta(minutes=1) for day in kept[2:]]
    ends += [datetime.max.replace(tzinfo=UTC)] * 2
    return [
        replace(day, broadcasts=[replace(s, end=min(s.end, end)) for s in day.broadcasts])
        for day, end in zip(kept, ends, strict=False)
    ]


def _found(days: Sequence[Day]) -> set[tuple[bool, str]]:
    """Which gaps and overlaps there are, by the instant at which the later broadcast starts; not the end of it all."""
    start, end = days[0].window.start, days[-1].window.end
    around = [Day(Interval(start - _A_DAY, start)), *days, Day(Interval(end, end + _A_DAY))]
    return {
        (finding.concern in (Concern.GAP, Concern.GAP_AT_SEAM), finding.detail.rpartition(" ")[2])
        for number in range(1, len(around) - 1)
        for finding in find_timing_concerns(*around[number - 1 : number + 2])
        if f"{end:%FT%TZ}" not in finding.detail
    }
