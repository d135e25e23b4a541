"""A day without gaps and overlaps: what is shown at each instant, and what had to be altered for it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.domain.continuous_day import ContinuousDay, make_continuous
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.published import Showing

_MIDNIGHT = datetime(2026, 1, 15, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_WINDOW = Interval(_MIDNIGHT, _MIDNIGHT + 24 * _HOUR)


def _showing(number: int, start: float, end: float) -> Showing:
    """``start`` and ``end`` are hours after midnight."""
    pid, times = Pid(f"p{number:07}"), (_MIDNIGHT + start * _HOUR, _MIDNIGHT + end * _HOUR)
    return Showing(pid, None, *times, False, False, False, False, None, None, None, None, "", "")


@st.composite
def _days(draw: st.DrawFn) -> list[Showing]:
    """Showings that begin from a day before the window to a day after it, and last up to 30 hours."""
    times = st.tuples(st.integers(-24, 48), st.integers(1, 30))
    found = [
        _showing(number, start, start + hours)
        for number, (start, hours) in enumerate(draw(st.lists(times, max_size=12)))
    ]
    return draw(st.permutations(found))


def _lines(day: ContinuousDay) -> list[tuple[float, float, str]]:
    return [
        (
            (slot.interval.start - _MIDNIGHT) / _HOUR,
            (slot.interval.end - _MIDNIGHT) / _HOUR,
            slot.showing.broadcast_pid[-1] if slot.showing else "-",
        )
        for slot in day.slots
    ]


@pytest.mark.parametrize(
    ("showings", "lines", "overlapped", "straddling", "off_air"),
    [
        pytest.param([], [(0, 24, "-")], 0, 0, 1, id="nothing at all"),
        pytest.param([(0, 24)], [(0, 24, "0")], 0, 0, 0, id="the whole day"),
        pytest.param(
            [(6, 7), (7, 9)], [(0, 6, "-"), (6, 7, "0"), (7, 9, "1"), (9, 24, "-")], 0, 0, 2, id="gaps"
        ),
        pytest.param([(-1, 2), (2, 25)], [(0, 2, "0"), (2, 24, "1")], 0, 2, 0, id="over both edges"),
        pytest.param([(-5, 30)], [(0, 24, "0")], 0, 1, 0, id="over both edges at once"),
        pytest.param([(0, 13), (12, 24)], [(0, 12, "0"), (12, 24, "1")], 1, 0, 0, id="the later start wins"),
        pytest.param(
            [(0, 24), (12, 13)],
            [(0, 12, "0"), (12, 13, "1"), (13, 24, "0")],
            1,
            0,
            0,
            id="goes on afterwards",
        ),
        pytest.param(
            [(0, 24), (0, 24)], [(0, 24, "1")], 1, 0, 0, id="at once: the later pid, the other is hidden"
        ),
        pytest.param([(-3, -1), (25, 26), (-2, 0), (24, 27)], [(0, 24, "-")], 0, 0, 1, id="none of the day"),
        pytest.param(
            [(-2, 3), (-1, 2)], [(0, 2, "1"), (2, 3, "0"), (3, 24, "-")], 1, 2, 1, id="before the edge"
        ),
        pytest.param(
            [(-3, 2), (-2, 0)], [(0, 2, "0"), (2, 24, "-")], 0, 1, 1, id="overlapped before the edge only"
        ),
    ],
)
def test_day_is_mended(
    showings: Sequence[tuple[float, float]],
    lines: list[tuple[float, float, str]],
    overlapped: int,
    straddling: int,
    off_air: int,
) -> None:
    """Gaps are off air, of two showings the one that began later counts, and both are counted."""
    found = [_showing(number, start, end) for number, (start, end) in enumerate(showings)]

    day = make_continuous(_WINDOW, found)

    assert _lines(day) == lines
    assert (day.overlapped, day.straddling, day.off_air) == (overlapped, straddling, off_air)


@given(_days())
def test_window_is_exactly_covered(showings: list[Showing]) -> None:
    """The slots begin and end with the window, touch each other, and none is empty."""
    day = make_continuous(_WINDOW, showings)

    assert (day.slots[0].interval.start, day.slots[-1].interval.end) == _WINDOW
    assert all(one.interval.end == other.interval.start for one, other in pairwise(day.slots))
    assert all(slot.interval.length > timedelta(0) for slot in day.slots)


@given(_days())
def test_each_instant_has_what_began_last(showings: list[Showing]) -> None:
    """In every hour of the window is shown, of all that runs then, what began last; off air only if nothing runs."""
    day = make_continuous(_WINDOW, showings)

    for hour in range(24):
        instant = _MIDNIGHT + hour * _HOUR
        running = [showing for showing in showings if showing.interval.contains(instant)]
        (slot,) = (slot for slot in day.slots if slot.interval.contains(instant))
        assert slot.showing == max(running, key=lambda s: (s.start, s.broadcast_pid), default=None)


@given(_days())
def test_neighbours_differ(showings: list[Showing]) -> None:
    """No slot goes on with what the slot before it shows: one stretch of a showing is one slot."""
    day = make_continuous(_WINDOW, showings)

    assert all(one.showing != other.showing for one, other in pairwise(day.slots))


@given(_days())
def test_order_of_the_showings_does_not_matter(showings: list[Showing]) -> None:
    """The day depends on what is shown, and not on the order in which it is given."""
    day = make_continuous(_WINDOW, showings)

    assert make_continuous(_WINDOW, sorted(showings)) == day


@given(_days())
def test_what_is_not_whole_is_counted(showings: list[Showing]) -> None:
    """Exactly those are counted as overlapped that are shown for less time than they run within the window."""
    day = make_continuous(_WINDOW, showings)

    short = 0
    for showing in showings:
        runs = min(showing.end, _WINDOW.end) - max(showing.start, _WINDOW.start)
        shown = sum((slot.interval.length for slot in day.slots if slot.showing == showing), timedelta(0))
        short += runs > timedelta(0) and shown < runs
    assert day.overlapped == short
