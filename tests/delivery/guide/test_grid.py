"""The guide's grid as values: positions of blocks, overlaps, gaps, and the length of a day."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from delivery.guides import ALDER, NOON, TODAY, key, schedule, showing
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.delivery.guide.broadcasts import Kind, fingerprint, kind_of, title_of
from schedules_pipeline.delivery.guide.grid import (
    MOST_BLOCKS,
    MOST_LANES,
    Frame,
    Gap,
    Row,
    assign_lanes,
    day_of,
    frame_of,
    opening_time,
    parse_begin,
    row_of,
)
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.published import Broadcast
from schedules_pipeline.errors import InvalidIdentifier

_CALENDAR = BroadcastCalendar(ZoneInfo("Europe/London"), ("*radio*",))
_SHORT_DAY, _LONG_DAY = date(2026, 3, 28), date(2026, 10, 24)
_SIX = datetime(2026, 3, 10, 6, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)


def _frame(on: date = TODAY, now: datetime = NOON, begin: time | None = None) -> Frame:
    return frame_of(_CALENDAR, ScheduleKey(ALDER, on), now, begin)


def _row(frame: Frame, showings: Sequence[Broadcast]) -> Row:
    published = schedule(ScheduleKey(ALDER, frame.date), showings)
    return row_of(frame, published.key, {published.key: published})


_SHOWN = st.builds(
    lambda begin, seconds: (begin, begin + timedelta(seconds=seconds)),
    st.integers(-36 * 3600, 60 * 3600).map(lambda seconds: _SIX + timedelta(seconds=seconds)),
    st.integers(1, 12 * 3600),
)


@given(st.lists(_SHOWN, max_size=40), st.sampled_from([TODAY, _SHORT_DAY, _LONG_DAY]))
def test_every_block_lies_within_the_window(spans: list[tuple[datetime, datetime]], on: date) -> None:
    """For any published schedule, blocks are in order, lie within the window, and last a minute or more."""
    frame = _frame(on)
    shift = frame.window.start - _SIX
    showings = [
        replace(showing(number, start + shift), end=end + shift) for number, (start, end) in enumerate(spans)
    ]

    row = _row(frame, showings)

    assert all(0 <= block.offset < block.end <= frame.minutes for block in row.blocks)
    assert [block.offset for block in row.blocks] == sorted(block.offset for block in row.blocks)
    assert all(0 <= block.lane < row.lanes <= MOST_LANES for block in row.blocks)
    shown = {shown.broadcast_pid for shown in showings if shown.interval.overlaps(frame.window)}
    assert {block.airing.broadcast.broadcast_pid for block in row.blocks} == shown


@given(st.lists(_SHOWN, min_size=1, max_size=40))
def test_every_minute_is_shown_or_said_to_be_empty(spans: list[tuple[datetime, datetime]]) -> None:
    """Blocks and gaps together leave no minute of the window out, and no gap lies under a whole minute of a block."""
    frame = _frame()
    showings = [replace(showing(number, start), end=end) for number, (start, end) in enumerate(spans)]

    row = _row(frame, showings)

    covered = {minute for cell in row.cells for minute in range(cell.offset, cell.offset + cell.length)}
    if row.blocks:
        assert covered == set(range(frame.minutes))
    for gap in row.gaps:
        begin, end = (
            frame.window.start + minute * _MINUTE for minute in (gap.offset + 1, gap.offset + gap.length)
        )
        assert not any(shown.interval.overlaps(Interval(begin, end)) for shown in showings if begin < end)


@given(st.lists(_SHOWN, max_size=30))
def test_lanes_keep_apart_what_overlaps(spans: list[tuple[datetime, datetime]]) -> None:
    """Blocks in one lane do not overlap, except in the last lane, which takes the rest."""
    intervals = [Interval(start, end) for start, end in sorted(spans)]

    lanes = assign_lanes(intervals)

    for lane in range(MOST_LANES - 1):
        held = [interval for interval, where in zip(intervals, lanes, strict=True) if where == lane]
        assert all(before.end <= after.start for before, after in pairwise(held))


@pytest.mark.parametrize(("on", "hours"), [(TODAY, 24), (_SHORT_DAY, 23), (_LONG_DAY, 25)])
def test_a_day_is_as_long_as_it_lasts(on: date, hours: int) -> None:
    """Across a clock change the grid is an hour shorter or longer, and has as many ticks as hours."""
    frame = _frame(on)

    ticks = frame.ticks()

    assert frame.minutes == hours * 60
    assert [tick.offset for tick in ticks] == [60 * n for n in range(hours)]
    assert frame.changes_clocks == (hours != 24)


def test_an_hour_that_comes_twice_is_told_apart() -> None:
    """In the night when the clocks go back 01:00 is there twice, each with the name of its time."""
    labels = [tick.label for tick in _frame(_LONG_DAY).ticks()]

    assert labels[18:22] == ["00:00 BST Sun 25 Oct", "01:00 BST", "01:00 GMT", "02:00 GMT"]


def test_a_showing_after_the_clock_change_stands_where_it_is_shown() -> None:
    """What begins at 02:00 local time in the night of 23 hours stands 19 elapsed hours after 06:00, not 20."""
    frame = _frame(_SHORT_DAY)

    row = _row(frame, [showing(1, datetime(2026, 3, 29, 1, tzinfo=UTC))])

    [block] = row.blocks
    assert (frame.clock(block.airing.broadcast.start), block.offset) == ("02:00 BST", 19 * 60)


def test_a_broadcast_across_the_edge_is_cut() -> None:
    """Its block begins or ends at the edge of the window."""
    frame = _frame()
    row = _row(frame, [showing(1, _SIX - 10 * _MINUTE), showing(2, frame.window.end - 5 * _MINUTE)])

    first, last = row.blocks

    assert (first.offset, first.length) == (0, 20)
    assert (last.end, last.length) == (frame.minutes, 5)


def test_gaps_are_there_to_be_seen() -> None:
    """Gaps stand before, between and after the broadcasts."""
    row = _row(_frame(), [showing(1, _SIX + 60 * _MINUTE), showing(2, _SIX + 120 * _MINUTE)])

    assert [(gap.offset, gap.length) for gap in row.gaps] == [(0, 60), (90, 30), (150, 1290)]
    assert [type(cell) is Gap for cell in row.cells] == [True, False, True, False, True]


def test_an_overlap_goes_into_a_lane_of_its_own() -> None:
    """The later of two broadcasts that overlap is drawn below."""
    row = _row(_frame(), [showing(1, _SIX, 45), showing(2, _SIX + 30 * _MINUTE)])

    assert [block.lane for block in row.blocks] == [0, 1]
    assert row.lanes == 2


def test_what_is_known_of_a_showing_is_told_apart() -> None:
    """A blanked showing, one of an unknown episode, and one without any title."""
    untitled = replace(showing(3, _SIX + 60 * _MINUTE), title="")
    unknown = showing(2, _SIX + 30 * _MINUTE, is_known=False)

    broadcasts = [showing(1, _SIX, episode_pid=None), unknown, untitled]

    assert list(map(kind_of, broadcasts)) == [Kind.BLANKED, Kind.UNKNOWN, Kind.PROGRAMME]
    assert list(map(title_of, broadcasts)) == ["Blanked", "Unknown programme p0000001", "Untitled"]


def test_a_service_without_a_schedule_is_known_as_such() -> None:
    """None published, and one that lists nothing, are two things."""
    without = row_of(_frame(), key(), {})
    empty = _row(_frame(), [])

    assert (without.has_schedule, without.cells) == (False, [])
    assert (empty.has_schedule, empty.cells) == (True, [])


def test_a_broadcast_that_two_days_list_is_shown_once() -> None:
    """While it moves from one day to the next both have it, and the later version counts."""
    moved = showing(1, _SIX - 30 * _MINUTE, 60)
    yesterday = schedule(key(days=-1), [moved], seq=1)
    today = schedule(key(), [replace(moved, start=_SIX, end=_SIX + 60 * _MINUTE)], seq=2)

    row = row_of(_frame(), key(), {yesterday.key: yesterday, today.key: today})

    assert [(block.airing.key, block.offset, block.length) for block in row.blocks] == [(today.key, 0, 60)]


def test_a_row_has_an_end() -> None:
    """Of more showings than a row takes, the rest is counted."""
    showings = [showing(n, _SIX + n * _MINUTE, 1) for n in range(MOST_BLOCKS + 7)]

    row = _row(_frame(), showings)

    assert (len(row.blocks), row.left_out) == (MOST_BLOCKS, 7)


def test_what_is_on_air_and_follows_is_near() -> None:
    """Now and the one after it; nothing else."""
    showings = [showing(n, NOON + (n - 2) * 30 * _MINUTE) for n in range(6)]

    row = _row(_frame(), showings)

    assert [block.is_near for block in row.blocks] == [False, False, True, True, False, False]


def test_a_gap_that_is_now_is_near() -> None:
    """A list of programmes on air can then say that the service shows nothing."""
    row = _row(_frame(), [showing(1, NOON - 60 * _MINUTE), showing(2, NOON + 60 * _MINUTE)])

    assert [gap.is_near for gap in row.gaps] == [False, True, False]


@pytest.mark.parametrize(
    ("at", "begins"),
    [("06:10", None), ("06:40", time(6)), ("12:10", time(11)), ("12:40", time(12)), ("05:10", time(4))],
)
def test_a_page_of_today_opens_shortly_before_now(at: str, begins: time | None) -> None:
    """At the whole hour before the last half hour; in the first half hour of the day at its begin."""
    now = datetime.combine(TODAY if at > "06:00" else TODAY + timedelta(days=1), time.fromisoformat(at), UTC)

    assert opening_time(_CALENDAR, key(), now) == begins
    assert opening_time(_CALENDAR, key(days=1), now) is None


def test_an_hour_that_comes_twice_opens_at_its_first() -> None:
    """The rows that a script fetches name the hour by its local time, so both must begin at the same instant."""
    second_one_oclock = datetime(2026, 10, 25, 1, 45, tzinfo=UTC)
    begin = opening_time(_CALENDAR, ScheduleKey(ALDER, _LONG_DAY), second_one_oclock)

    assert _frame(_LONG_DAY, second_one_oclock, begin).window.start == datetime(2026, 10, 25, 0, tzinfo=UTC)


def _listed(lengths: Sequence[int]) -> list[tuple[int, int, int] | None]:
    """The places in columns of broadcasts that follow one another."""
    starts = [_SIX + sum(lengths[:number]) * _MINUTE for number in range(len(lengths))]
    row = _row(_frame(), [showing(n, starts[n], lengths[n]) for n in range(len(lengths))])
    assert [block.length for block in row.blocks] == list(lengths)
    return [(at.offset, at.length, at.line) if (at := block.listing) else None for block in row.blocks]


def test_short_programmes_that_follow_one_another_are_lines_of_a_column() -> None:
    """Each is then as wide as all of them; long ones, and one or two short ones, stand by their time."""
    assert _listed([30, 5, 5, 5, 30]) == [None, (30, 15, 0), (30, 15, 1), (30, 15, 2), None]
    assert _listed([30, 5, 5, 30]) == [None] * 4


def test_many_short_programmes_are_columns_of_about_equal_length() -> None:
    """A column has at most nine lines, which a row of three lanes has room for."""
    found = _listed([5] * 19)

    columns = [[place for place in found if place and place[0] == begin] for begin in (0, 30, 60)]
    assert [len(column) for column in columns] == [6, 6, 7]
    assert _row(_frame(), [showing(n, _SIX + 5 * n * _MINUTE, 5) for n in range(19)]).lanes == 3


def test_short_programmes_beside_an_overlap_stand_by_their_time() -> None:
    """A column needs the lanes below it."""
    starts = [0, 10, 40, 45, 50]
    showings = [
        showing(n, _SIX + at * _MINUTE, 45 if n == 1 else 30 if n == 0 else 5) for n, at in enumerate(starts)
    ]

    row = _row(_frame(), showings)

    assert [block.listing for block in row.blocks] == [None] * 5


def test_another_day_is_about_its_evening() -> None:
    """Where now is not in the window there is no such moment, and the evening is looked at."""
    frame = _frame(TODAY + timedelta(days=1))

    assert not frame.is_now
    assert frame.clock(frame.focus) == "19:00"


@pytest.mark.parametrize(
    ("begin", "first", "minutes"), [(time(18, 30), "18:30", 690), (time(2), "02:00", 360)]
)
def test_a_page_may_begin_later(begin: time, first: str, minutes: int) -> None:
    """The window is the rest of the broadcast day, or six hours if that is less; its ticks are at whole hours."""
    frame = _frame(begin=begin)

    assert (frame.clock(frame.window.start), frame.minutes) == (first, minutes)
    assert all(tick.label[2:5] == ":00" for tick in frame.ticks())
    assert sum(len(tick.label) > len("00:00") for tick in frame.ticks()) == 1


def test_a_showing_has_another_fingerprint_where_anything_of_it_differs() -> None:
    """Titles, times and flags count; the same has the same."""
    one = showing(1, _SIX)
    others = [replace(one, title="x"), replace(one, end=NOON), replace(one, is_signed=True)]

    assert fingerprint(one) == fingerprint(showing(1, _SIX))
    assert fingerprint(one) not in {fingerprint(other) for other in others}


def test_the_day_goes_on_until_six() -> None:
    """Before 06:00 television is in yesterday's day, and radio in today's."""
    night = datetime(2026, 3, 10, 3, tzinfo=UTC)

    assert day_of(_CALENDAR, ALDER, night) == TODAY - timedelta(days=1)
    assert day_of(_CALENDAR, Sid("alder_radio"), night) == TODAY


@pytest.mark.parametrize("text", ["24:00", "6:00", "12:60", "noon", "१२:00"])
def test_what_is_no_time_of_day_is_rejected(text: str) -> None:
    """An empty list has no entry."""
    with pytest.raises(InvalidIdentifier, match="expected HH:MM"):
        parse_begin(text)

    assert parse_begin("") is None
    assert parse_begin("18:30") == time(18, 30)
