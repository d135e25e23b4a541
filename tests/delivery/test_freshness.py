"""How long an answer is fresh, and when all of them are old."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.delivery.freshness import Staleness, cache_control, seconds_fresh
from schedules_pipeline.domain.interval import Interval

_BEGIN = datetime(2026, 3, 28, 6, tzinfo=UTC)
_DAY = timedelta(days=1)
_WINDOW = Interval(_BEGIN, _BEGIN + _DAY)
_STALENESS = Staleness(marked_after=timedelta(seconds=30), served_for=timedelta(hours=6))


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        (_BEGIN - 30 * _DAY, 600),
        (_BEGIN - 8 * _DAY, 600),
        (_BEGIN - 8 * _DAY + timedelta(seconds=1), 120),
        (_BEGIN - _DAY, 120),
        (_BEGIN - _DAY + timedelta(seconds=1), 30),
        (_BEGIN, 5),
        (_BEGIN + _DAY - timedelta(seconds=1), 5),
        (_BEGIN + _DAY, 3_600),
        (_BEGIN + 30 * _DAY, 3_600),
    ],
)
def test_nearer_the_air_is_fresh_for_shorter(now: datetime, seconds: int) -> None:
    """A day on the air is fresh for seconds, one far ahead or over for longer."""
    assert seconds_fresh(_WINDOW, now) == seconds


@given(st.integers(0, 100_000), st.integers(0, 100_000))
def test_freshness_never_grows_towards_the_air(minutes: int, more: int) -> None:
    """At any time before a window, an answer given closer to it may not be cached for longer."""
    nearer, farther = timedelta(minutes=minutes), timedelta(minutes=minutes + more)

    assert seconds_fresh(_WINDOW, _BEGIN - nearer) <= seconds_fresh(_WINDOW, _BEGIN - farther)


def test_answers_are_for_the_partner_alone() -> None:
    """No shared cache may keep what another partner may not see."""
    assert cache_control(5) == "private, max-age=5, stale-if-error=86400"


@pytest.mark.parametrize(
    ("age", "is_stale", "is_too_old"),
    [
        (timedelta(0), False, False),
        (timedelta(seconds=30), False, False),
        (timedelta(seconds=31), True, False),
        (timedelta(hours=6), True, False),
        (timedelta(hours=6, seconds=1), True, True),
    ],
)
def test_age_is_marked_then_rejected(age: timedelta, is_stale: bool, is_too_old: bool) -> None:
    """What the store confirmed longer ago than is agreed is marked; much longer ago, it is not served."""
    now = _BEGIN + age

    assert _STALENESS.is_stale(_BEGIN, now) == is_stale
    assert _STALENESS.is_too_old(_BEGIN, now) == is_too_old


def test_what_was_never_read_is_too_old() -> None:
    """Before the store was read, there is nothing to serve."""
    assert _STALENESS.is_too_old(None, _BEGIN)
