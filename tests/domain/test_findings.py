"""Overlaps, gaps, strays and unknown items, and the rule about documents that have shrunk."""

from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise

import pytest
from builders import a_slot
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.domain.dependencies import EpisodeMention
from schedules_pipeline.domain.findings import (
    Concern,
    Finding,
    find_timing_concerns,
    find_unresolved,
)
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.schedule import Slot

_MIDNIGHT = datetime(2026, 1, 15, tzinfo=UTC)
_DAY = Interval(_MIDNIGHT + timedelta(hours=6), _MIDNIGHT + timedelta(hours=30))


def _pid(number: int) -> Pid:
    return Pid(f"p{number:07}")


def _broadcasts(*minutes: tuple[int, int]) -> list[Slot]:
    """Broadcasts numbered from nought, each with the minutes of the day at which it starts and ends."""
    return [
        a_slot(number, _MIDNIGHT + timedelta(minutes=start), end - start, broadcast_pid=_pid(number))
        for number, (start, end) in enumerate(minutes)
    ]


@pytest.mark.parametrize(
    ("minutes", "found"),
    [
        pytest.param([], [], id="empty"),
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
def test_timing_concerns_are(minutes: list[tuple[int, int]], found: list[tuple[Concern, int]]) -> None:
    """A broadcast is named that starts outside the day, or elsewhere than where the latest end so far is."""
    broadcasts = _broadcasts(*minutes)

    concerns = find_timing_concerns(broadcasts, _DAY)

    assert [(c.concern, c.broadcast_pid) for c in concerns] == [(c, _pid(number)) for c, number in found]


def test_timing_concerns_say_how_much_and_when() -> None:
    """The detail gives the seconds between the two broadcasts and when the later one starts."""
    broadcasts = _broadcasts((300, 370), (375, 390), (380, 390))

    concerns = find_timing_concerns(broadcasts, _DAY)

    assert [concern.detail for concern in concerns] == [
        "starts at 2026-01-15T05:00:00Z",
        "300 s before 2026-01-15T06:15:00Z",
        "600 s before 2026-01-15T06:20:00Z",
    ]


@given(st.lists(st.integers(1, 60), max_size=20))
def test_broadcasts_that_follow_each_other_raise_no_concern(lengths: list[int]) -> None:
    """Where each broadcast starts at the end of the one before it, and within the day, nothing is found."""
    edges = accumulate(lengths, initial=360)
    broadcasts = _broadcasts(*pairwise(edges))

    concerns = find_timing_concerns(broadcasts, _DAY)

    assert concerns == []


@given(st.lists(st.tuples(st.integers(360, 1799), st.integers(1, 300)), max_size=12))
def test_every_minute_without_a_broadcast_lies_in_a_gap(slots: list[tuple[int, int]]) -> None:
    """The gaps together are as long as the time between first start and last end that nothing covers."""
    broadcasts = _broadcasts(*sorted((start, start + length) for start, length in slots))
    covered = {minute for start, length in slots for minute in range(start, start + length)}

    concerns = find_timing_concerns(broadcasts, _DAY)

    gaps = [int(c.detail.partition(" ")[0]) for c in concerns if c.concern is Concern.GAP]
    uncovered = max(covered) + 1 - min(covered) - len(covered) if covered else 0
    assert sum(gaps) == uncovered * 60


def test_unresolved_names_each_showing_and_each_ancestor() -> None:
    """Each broadcast of an unknown episode is named, and each unknown ancestor once."""
    known, unknown = Pid("b0000001"), Pid("b0000002")
    series, brand = Pid("b0000003"), Pid("b0000004")
    shown = [
        EpisodeMention(known, _pid(1)),
        EpisodeMention(unknown, _pid(2)),
        EpisodeMention(unknown, _pid(3)),
    ]

    findings = find_unresolved(shown, [brand, series], {unknown, brand, Pid("b0000009")})

    assert findings == [
        Finding(Concern.UNKNOWN_EPISODE, _pid(2), unknown),
        Finding(Concern.UNKNOWN_EPISODE, _pid(3), unknown),
        Finding(Concern.UNKNOWN_ANCESTOR, None, brand),
    ]


def test_unresolved_is_empty_where_all_is_known() -> None:
    """Where nothing is unknown nothing is found."""
    findings = find_unresolved([EpisodeMention(Pid("b0000001"), _pid(1))], [Pid("b0000003")], frozenset())

    assert findings == []
