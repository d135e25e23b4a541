"""Faults injected at any time are held, ordinary edits are not, and blankings are published at once."""

from collections.abc import Callable
from datetime import date, timedelta
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from replay.injected import (
    DAYS,
    FIRST_DAYS,
    SERVICES,
    Fault,
    Stage,
    blanked,
    minute_long,
    shrunk_to,
    truncated,
    unknown_episodes,
    wiped,
)

from demo.sample import Document, Sample, SourceKey
from demo.servers import RedisServer
from demo.traffic import Traffic

_HOUR = 60
_DAY = 24 * _HOUR
_LEAST_TO_COME = 6 * 3600
"""A day with fewer seconds to come is left alone: little can be lost."""

_KEPT_SHARE = 0.7
"""A document that covers at least this share of the fullest state is not held."""

_TOLERATED = 30 * 60
"""Nor is one that loses at most so many seconds."""

seriously = settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
sids = st.sampled_from(SERVICES)
days = st.integers(0, DAYS - 1)
moments = st.integers(0, 3 * _DAY)
"""Minutes after the opening, up to the third day."""

early = st.integers(0, _DAY - 8 * _HOUR)
"""Before the first day begins, also for radio, which begins at midnight."""

first_days = st.sampled_from(FIRST_DAYS)

faults = st.one_of(
    st.just(wiped()),
    st.integers(5, 65).map(shrunk_to),
    st.integers(1, 60).map(minute_long),
    st.floats(0.02, 0.6).map(truncated),
)


Open = Callable[[date, int], Stage]


@pytest.fixture(scope="module")
def open_stage(redis_server: RedisServer) -> Open:
    """A stage of its own for each example: with this first day, some minutes after the opening."""
    return lambda first_day, minutes: Stage(redis_server, first_day, minutes)


def _is_over(stage: Stage, key: SourceKey) -> bool:
    return stage.source_airtime_to_come(key) < _LEAST_TO_COME


def _key(sid: str, first_day: date, day: int) -> SourceKey:
    return sid, first_day + timedelta(days=day)


def _of_service(stage: Stage, sid: str) -> dict[SourceKey, Document]:
    return {key: document for key, document in stage.sources.items() if key[0] == sid}


@seriously
@given(first_day=first_days, sid=sids, day=days, minutes=moments, fault=faults)
def test_a_fault_is_held(
    open_stage: Open, first_day: date, sid: str, day: int, minutes: int, fault: Fault
) -> None:
    """Partners keep what they have, also if the notification comes again, until the source is whole again."""
    stage, key = open_stage(first_day, minutes), _key(sid, first_day, day)
    if _is_over(stage, key):
        return
    whole, before = stage.sources[key], stage.shown(key)

    stage.put({key: fault.make(whole, stage.now)})
    at_once = stage.shown(key)
    stage.pass_time(30)
    stage.announce_again([key])
    later = stage.shown(key)
    stage.put({key: whole})

    assert at_once == before
    assert later == before
    assert len(stage.replay.account.holds.all) == 1
    assert stage.is_level()


@seriously
@given(sid=sids, day=days, minutes=moments, fault=faults, apart=st.integers(0, 9), later=st.integers(10, 90))
def test_a_fault_is_confirmed_only_by_a_later_put(
    open_stage: Open, sid: str, day: int, minutes: int, fault: Fault, apart: int, later: int
) -> None:
    """An upstream that repeats its fault at once confirms nothing; one that means it is believed some minutes later."""
    stage, key = open_stage(FIRST_DAYS[0], minutes), _key(sid, FIRST_DAYS[0], day)
    if _is_over(stage, key):
        return
    faulty, before = fault.make(stage.sources[key], stage.now), stage.shown(key)

    stage.put({key: faulty})
    stage.pass_time(apart)
    stage.put({key: faulty})
    repeated = stage.shown(key)
    stage.pass_time(later - apart)
    stage.put({key: faulty})

    assert repeated == before
    assert stage.is_level()


@seriously
@given(
    first_day=first_days,
    sid=sids,
    minutes=st.integers(0, 2 * _DAY),
    shares=st.lists(st.floats(0.3, 0.75), min_size=2, max_size=6),
    apart=st.integers(1, 9),
)
def test_erosion_is_held(
    open_stage: Open, first_day: date, sid: str, minutes: int, shares: list[float], apart: int
) -> None:
    """A day that loses a part of what is left in each step keeps most of its fullest state, also while it is on air.

    The steps are less apart than the minutes after which a document of similar coverage confirms another.
    """
    _erode(open_stage(first_day, minutes), _key(sid, first_day, 1), shares, apart)


@seriously
@given(
    sid=sids, minutes=st.integers(0, 2 * _DAY), shares=st.lists(st.floats(0.8, 0.97), min_size=6, max_size=9)
)
def test_erosion_in_small_steps_is_held(
    open_stage: Open, sid: str, minutes: int, shares: list[float]
) -> None:
    """Each step, a minute after the last, is small enough alone."""
    _erode(open_stage(FIRST_DAYS[0], minutes), _key(sid, FIRST_DAYS[0], 1), shares, 1)


def _erode(stage: Stage, key: SourceKey, shares: list[float], apart: int) -> None:
    whole = stage.sources[key]

    for share in shares:
        eroded = truncated(share).make(stage.sources[key], stage.now)
        if eroded["broadcasts"]:
            stage.put({key: eroded})
        stage.pass_time(apart)

    left = stage.source_airtime_to_come(key, whole)
    assert stage.airtime_to_come(key) >= _KEPT_SHARE * left - _TOLERATED
    stage.put({key: whole})
    assert stage.is_level()


@seriously
@given(first_day=first_days, sid=sids, minutes=early)
def test_a_vanished_service_is_held(open_stage: Open, first_day: date, sid: str, minutes: int) -> None:
    """All objects of a service are deleted at once: partners keep every day until the objects are back."""
    stage = open_stage(first_day, minutes)
    of_service = _of_service(stage, sid)
    before = {key: stage.shown(key) for key in of_service}

    stage.remove(of_service)
    stage.pass_time(_DAY / 2)
    held = {key: stage.shown(key) for key in of_service}
    stage.put(of_service)

    assert held == before
    assert stage.is_level()


@seriously
@given(sid=sids, minutes=early, apart=st.floats(0.1, 15), seed=st.randoms(use_true_random=False))
def test_a_service_that_vanishes_day_by_day_loses_one(
    open_stage: Open, sid: str, minutes: int, apart: float, seed: Random
) -> None:
    """The first day is ordinary; the following ones, within the hour, do not fit into the budget."""
    stage = open_stage(FIRST_DAYS[0], minutes)
    of_service = list(_of_service(stage, sid))
    seed.shuffle(of_service)

    for key in of_service:
        stage.remove([key])
        stage.pass_time(apart)
    stage.pass_time(3 * _HOUR)

    assert [key for key in of_service if stage.shown(key) is None] == of_service[:1]


@seriously
@given(minutes=early, day=days)
def test_two_services_that_lose_a_day_at_once_are_held(open_stage: Open, minutes: int, day: int) -> None:
    """The budget of the whole does not allow it."""
    stage = open_stage(FIRST_DAYS[0], minutes)
    removed = [_key(sid, FIRST_DAYS[0], day) for sid in SERVICES[:2]]
    before = [stage.shown(key) for key in removed]

    stage.remove(removed)
    stage.pass_time(2 * _HOUR)

    assert [stage.shown(key) for key in removed] == before


@seriously
@given(first_day=first_days, sid=sids, day=days, minutes=early)
def test_a_single_removed_day_is_ordinary(
    open_stage: Open, first_day: date, sid: str, day: int, minutes: int
) -> None:
    """The budget of a service allows a day."""
    stage, key = open_stage(first_day, minutes), _key(sid, first_day, day)

    stage.remove([key])

    assert stage.shown(key) is None
    assert stage.replay.account.holds.all == []


@seriously
@given(sid=sids, minutes=early)
def test_a_service_whose_episodes_become_unknown_is_held(open_stage: Open, sid: str, minutes: int) -> None:
    """A guide without titles is a loss as much as one without broadcasts."""
    stage = open_stage(FIRST_DAYS[0], minutes)
    of_service = _of_service(stage, sid)
    before = {key: stage.shown(key) for key in of_service}

    stage.put({key: unknown_episodes(document) for key, document in of_service.items()})
    held = {key: stage.shown(key) for key in of_service}
    stage.put(of_service)

    assert held == before
    assert stage.is_level()


@seriously
@given(first_day=first_days, minutes=moments, seed=st.integers(0, 1 << 16), count=st.integers(1, 15))
def test_ordinary_edits_are_not_held(
    open_stage: Open, first_day: date, minutes: int, seed: int, count: int
) -> None:
    """Moves, drops, insertions, overruns and torn states reach partners at once."""
    stage = open_stage(first_day, minutes)
    traffic = Traffic(Sample(stage.guide.catalogue, stage.sources), Random(seed))

    for _ in range(count):
        stage.change(traffic.next_change(stage.now))
        stage.pass_time(5)

    assert stage.replay.account.holds.all == []
    assert stage.is_level()


@seriously
@given(sid=sids, day=days, minutes=moments, share=st.floats(0.8, 0.99))
def test_a_small_loss_is_not_held(open_stage: Open, sid: str, day: int, minutes: int, share: float) -> None:
    """A service that ends a little earlier is an ordinary edit."""
    stage, key = open_stage(FIRST_DAYS[0], minutes), _key(sid, FIRST_DAYS[0], day)
    if _is_over(stage, key):
        return

    stage.put({key: truncated(share).make(stage.sources[key], stage.now)})

    assert stage.replay.account.holds.all == []
    assert stage.is_level()


@seriously
@given(
    first_day=first_days, sid=sids, day=days, minutes=moments, which=st.sets(st.integers(0, 60), min_size=1)
)
def test_a_blanking_is_published_at_once(
    open_stage: Open, first_day: date, sid: str, day: int, minutes: int, which: set[int]
) -> None:
    """It may be a matter of rights, however many broadcasts it concerns."""
    stage, key = open_stage(first_day, minutes), _key(sid, first_day, day)

    stage.put({key: blanked(stage.sources[key], sorted(which))})

    assert stage.replay.account.holds.all == []
    assert stage.is_level()


@seriously
@given(sid=sids, day=days, minutes=early, left=st.integers(5, 65))
def test_a_blanking_in_a_held_document_is_published_at_once(
    open_stage: Open, sid: str, day: int, minutes: int, left: int
) -> None:
    """The rest of the document is held; the broadcast that it blanks is blanked at partners."""
    stage, key = open_stage(FIRST_DAYS[0], minutes), _key(sid, FIRST_DAYS[0], day)
    whole = stage.sources[key]
    shrunk = shrunk_to(left).make(whole, stage.now)
    [slot] = shrunk["broadcasts"]

    stage.put({key: blanked(shrunk, [0])})

    shown = {broadcast["broadcast_pid"]: broadcast for broadcast in stage.shown(key) or []}
    assert len(shown) == len(whole["broadcasts"])
    assert shown[slot["broadcast_pid"]]["is_blanked"]
    assert shown[slot["broadcast_pid"]]["episode"] is None
    stage.put({key: whole})
    assert stage.is_level()
