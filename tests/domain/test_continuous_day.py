"""A day without gaps and overlaps: the programme at each instant."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from builders import a_broadcast
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.domain.continuous_day import Segment, make_continuous
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.published import Broadcast

_MIDNIGHT = datetime(2026, 1, 15, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_WINDOW = Interval(_MIDNIGHT, _MIDNIGHT + 24 * _HOUR)


def _showing(number: int, start: float, end: float) -> Broadcast:
    """``start`` and ``end`` are hours after midnight."""
    pid = Pid(f"p{number:07}")
    return a_broadcast(number, _MIDNIGHT + start * _HOUR, (end - start) * 60, broadcast_pid=pid)


@st.composite
def _days(draw: st.DrawFn) -> list[Broadcast]:
    """Showings that begin from a day before the window to a day after it, and last up to 30 hours."""
    times = st.tuples(st.integers(-24, 48), st.integers(1, 30))
    found = [
        _showing(number, start, start + hours)
        for number, (start, hours) in enumerate(draw(st.lists(times, max_size=12)))
    ]
    return draw(st.permutations(found))


def _lines(day: Sequence[Segment]) -> list[tuple[float, float, str]]:
    return [
        (
            (segment.interval.start - _MIDNIGHT) / _HOUR,
            (segment.interval.end - _MIDNIGHT) / _HOUR,
            segment.broadcast.broadcast_pid[-1] if segment.broadcast else "-",
        )
        for segment in day
    ]


@pytest.mark.parametrize(
    ("showings", "lines"),
    [
        pytest.param([], [(0, 24, "-")], id="nothing at all"),
        pytest.param([(0, 24)], [(0, 24, "0")], id="the whole day"),
        pytest.param([(6, 7), (7, 9)], [(0, 6, "-"), (6, 7, "0"), (7, 9, "1"), (9, 24, "-")], id="gaps"),
        pytest.param([(-1, 2), (2, 25)], [(0, 2, "0"), (2, 24, "1")], id="over both edges"),
        pytest.param([(-5, 30)], [(0, 24, "0")], id="over both edges at once"),
        pytest.param([(0, 13), (12, 24)], [(0, 12, "0"), (12, 24, "1")], id="the later start wins"),
        pytest.param(
            [(0, 24), (12, 13)],
            [(0, 12, "0"), (12, 13, "1"), (13, 24, "0")],
            id="goes on afterwards",
        ),
        pytest.param([(0, 24), (0, 24)], [(0, 24, "1")], id="at once: the later pid, the other is hidden"),
        pytest.param([(-3, -1), (25, 26), (-2, 0), (24, 27)], [(0, 24, "-")], id="none of the day"),
        pytest.param([(-2, 3), (-1, 2)], [(0, 2, "1"), (2, 3, "0"), (3, 24, "-")], id="before the edge"),
        pytest.param([(-3, 2), (-2, 0)], [(0, 2, "0"), (2, 24, "-")], id="overlapped before the edge only"),
    ],
)
def test_day_is_mended(
    showings: Sequence[tuple[float, float]],
    lines: list[tuple[float, float, str]],
) -> None:
    """Gaps are off air, of two showings the one that began later counts."""
    found = [_showing(number, start, end) for number, (start, end) in enumerate(showings)]

    day = make_continuous(_WINDOW, found)

    assert _lines(day) == lines


@given(_days())
def test_window_is_exactly_covered(showings: list[Broadcast]) -> None:
    """The slots begin and end with the window, touch each other, and none is empty."""
    day = make_continuous(_WINDOW, showings)

    assert (day[0].interval.start, day[-1].interval.end) == _WINDOW
    assert all(one.interval.end == other.interval.start for one, other in pairwise(day))
    assert all(segment.interval.length > timedelta(0) for segment in day)


@given(_days())
def test_each_instant_has_what_began_last(showings: list[Broadcast]) -> None:
    """In every hour of the window is shown, of all that runs then, what began last; off air only if nothing runs."""
    day = make_continuous(_WINDOW, showings)

    for hour in range(24):
        instant = _MIDNIGHT + hour * _HOUR
        running = [showing for showing in showings if showing.interval.contains(instant)]
        (segment,) = (segment for segment in day if segment.interval.contains(instant))
        assert segment.broadcast == max(running, key=lambda s: (s.start, s.broadcast_pid), default=None)


@given(_days())
def test_neighbours_differ(showings: list[Broadcast]) -> None:
    """No slot goes on with what the slot before it shows: one stretch of a showing is one slot."""
    day = make_continuous(_WINDOW, showings)

    assert all(one.broadcast != other.broadcast for one, other in pairwise(day))


@given(_days())
def test_order_of_the_showings_does_not_matter(showings: list[Broadcast]) -> None:
    """The order of the broadcasts does not change the day."""
    day = make_continuous(_WINDOW, showings)

    assert make_continuous(_WINDOW, sorted(showings, key=lambda s: s.broadcast_pid)) == day
