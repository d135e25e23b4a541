"""The programme on air now, and the next one."""

from datetime import UTC, datetime, timedelta

import pytest
from delivery.guides import ALDER, NOON, key, schedule, showing
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.delivery.questions.now_next import (
    NowNext,
    find_now_next,
    first_boundary,
    fresh_seconds,
    keys_around,
    now_next_fields,
)
from schedules_pipeline.domain.published import Broadcast

_slots = st.lists(
    st.tuples(st.integers(-2_000, 2_000), st.integers(1, 200)), max_size=12, unique_by=lambda slot: slot
).map(
    lambda slots: [
        showing(number, NOON + timedelta(minutes=begins), lasts)
        for number, (begins, lasts) in enumerate(slots)
    ]
)


def _minutes(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def _of(*showings: Broadcast, at: datetime = NOON, count: int = 2) -> NowNext:
    return find_now_next([schedule(key(), showings)], at, count)


def test_start_is_inside_and_end_is_outside() -> None:
    """At the instant where one showing ends and the next begins, the next one is on."""
    first, second = showing(1, _minutes(-30)), showing(2, NOON)

    found = _of(first, second)

    assert (found.now, found.coming, found.until) == (second, (), _minutes(30))


def test_nothing_is_on_in_a_gap() -> None:
    """In a gap nothing is on, and the answer holds until the next showing begins."""
    later = showing(2, _minutes(10))

    found = _of(showing(1, _minutes(-60)), later)

    assert found == NowNext(None, (later,), _minutes(10))


def test_of_showings_that_overlap_the_last_to_begin_is_on() -> None:
    """Where two are on at once, the one that began last counts, and the answer holds until either ends."""
    long, short = showing(1, _minutes(-30), 120), showing(2, _minutes(-10), 20)

    found = _of(long, short)

    assert (found.now, found.until) == (short, _minutes(10))


def test_yesterdays_schedule_may_still_be_on() -> None:
    """After midnight and before the broadcast day begins, the schedule of the day before lists the programme on air."""
    at = datetime(2026, 3, 10, 2, tzinfo=UTC)
    film = showing(1, at - timedelta(hours=1), 180)
    morning = showing(2, at + timedelta(hours=4))
    schedules = [schedule(key(days=-1), [film]), schedule(key(), [morning])]

    found = find_now_next(schedules, at, 1)

    assert (found.now, found.coming) == (film, (morning,))
    assert {listed.key for listed in schedules} <= set(keys_around(ALDER, at))


def test_nothing_published_is_nothing_on() -> None:
    """Of a service without schedules around the instant nothing is known."""
    found = find_now_next([], NOON, 3)

    assert found == NowNext(None, (), None)


@given(_slots, st.integers(1, 5))
def test_coming_showings_are_the_nearest(showings: list[Broadcast], count: int) -> None:
    """What comes next begins later than now, in order, and nothing that begins before it is left out."""
    found = _of(*showings, count=count)

    starts = sorted(shown.start for shown in showings if shown.start > NOON)
    assert [shown.start for shown in found.coming] == starts[:count]


@given(_slots, st.integers(0, 500))
def test_answer_holds_until_its_boundary(showings: list[Broadcast], minutes: int) -> None:
    """Up to the instant that is given for it, and not at it, the answer stays the same."""
    found = _of(*showings)
    end = found.until or _minutes(minutes + 1)
    before = NOON + (end - NOON) * (minutes / 501)

    again = _of(*showings, at=before)

    assert again == found
    assert found.until is None or _of(*showings, at=found.until) != found


@pytest.mark.parametrize(
    ("until", "seconds"),
    [(None, 60), (_minutes(30), 60), (NOON + timedelta(seconds=7.9), 7), (NOON, 0)],
)
def test_answer_is_kept_until_the_boundary_at_most_a_minute(until: datetime | None, seconds: int) -> None:
    """An answer may be kept for whole seconds, up to the boundary and no longer than a minute."""
    kept = fresh_seconds(NOON, until)

    assert kept == seconds


def test_first_boundary_is_of_all_services() -> None:
    """Several services together change when the first of them does."""
    found = [NowNext(None, (), None), NowNext(None, (), _minutes(9)), NowNext(None, (), _minutes(3))]

    boundaries = [first_boundary(found), first_boundary(found[:1])]

    assert boundaries == [_minutes(3), None]


def test_service_is_given_with_its_name() -> None:
    """A service has its sid, its name, the current and the next programme, and until when the answer holds."""
    fields = now_next_fields(ALDER, "Alder One", _of(showing(1, NOON), showing(2, _minutes(30))))

    assert list(fields) == ["sid", "name", "now", "next", "until"]
    assert fields["now"]["broadcast_pid"] == "w0000001"
    assert [shown["broadcast_pid"] for shown in fields["next"]] == ["w0000002"]
    assert fields["until"] == _minutes(30)
