"""Faults injected at any time are held, ordinary edits are not, and blankings are published at once."""

from collections.abc import Callable
from datetime import timedelta
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from replay.injected import (
    DAYS,
    FIRST_DAY,
    SERVICES,
    Fault,
    Stage,
    blanked,
    minute_long,
    shrunk_to,
    small_guide,
    truncated,
    unknown_episodes,
    wiped,
)

from demo.sample import Sample, SourceKey
from demo.servers import RedisServer
from demo.traffic import Traffic

_HOUR = 60
_DAY = 24 * _HOUR
_LEAST_TO_COME = 6 * 3600
"""A day with fewer seconds to come is left alone: little can be lost."""

_KEPT_SHARE = 0.7
"""A document may cover at least this share of the fullest state without being held."""

seriously = settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
keys = st.tuples(
    st.sampled_from(SERVICES), st.integers(0, DAYS - 1).map(lambda n: FIRST_DAY + timedelta(days=n))
)
moments = st.integers(0, 3 * _DAY)
"""Minutes after the opening, up to the third day."""

faults = st.one_of(
    st.just(wiped()),
    st.integers(5, 65).map(shrunk_to),
    st.integers(1, 60).map(minute_long),
    st.floats(0.02, 0.6).map(truncated),
)


@pytest.fixture(scope="module")
def open_stage(redis_server: RedisServer) -> Callable[[int], Stage]:
    """A stage of its own for each example, some minutes after the opening."""

    def open_at(minutes: int) -> Stage:
        stage = Stage(redis_server)
        stage.pass_time(minutes)
        return stage

    return open_at


def _is_over(stage: Stage, key: SourceKey) -> bool:
    return stage.source_airtime_to_come(key) < _LEAST_TO_COME


@seriously
@given(key=keys, minutes=moments, fault=faults)
def test_a_fault_is_held(
    open_stage: Callable[[int], Stage], key: SourceKey, minutes: int, fault: Fault
) -> None:
    """Partners keep what they have, also if the notification comes again, until the source is whole again."""
    stage = open_stage(minutes)
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
@given(key=keys, minutes=moments, fault=faults, apart=st.integers(0, 9), later=st.integers(10, 90))
def test_a_fault_is_confirmed_only_by_a_later_put(
    open_stage: Callable[[int], Stage], key: SourceKey, minutes: int, fault: Fault, apart: int, later: int
) -> None:
    """An upstream that repeats its fault at once confirms nothing; one that means it is believed some minutes later."""
    stage = open_stage(minutes)
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
    sid=st.sampled_from(SERVICES),
    minutes=st.integers(0, _DAY),
    shares=st.lists(st.floats(0.3, 0.75), min_size=2, max_size=6),
    apart=st.integers(1, 30),
)
def test_erosion_is_held(
    open_stage: Callable[[int], Stage], sid: str, minutes: int, shares: list[float], apart: int
) -> None:
    """A day that loses a part of what is left in each step keeps most of its fullest state."""
    _erode(open_stage(minutes), (sid, FIRST_DAY + timedelta(days=1)), shares, apart)


@seriously
@given(
    sid=st.sampled_from(SERVICES),
    minutes=st.integers(0, _DAY),
    shares=st.lists(st.floats(0.8, 0.97), min_size=6, max_size=9),
)
def test_erosion_in_small_steps_is_held(
    open_stage: Callable[[int], Stage], sid: str, minutes: int, shares: list[float]
) -> None:
    """Each step, a minute after the last, is small enough by itself."""
    _erode(open_stage(minutes), (sid, FIRST_DAY + timedelta(days=1)), shares, 1)


def _erode(stage: Stage, key: SourceKey, shares: list[float], apart: int) -> None:
    whole, fullest = stage.sources[key], stage.airtime_to_come(key)

    for share in shares:
        stage.put({key: truncated(share).make(stage.sources[key], stage.now)})
        stage.pass_time(apart)

    assert stage.airtime_to_come(key) >= _KEPT_SHARE * fullest
    stage.put({key: whole})
    assert stage.is_level()


@seriously
@given(sid=st.sampled_from(SERVICES), minutes=st.integers(0, _DAY))
def test_a_vanished_service_is_held(open_stage: Callable[[int], Stage], sid: str, minutes: int) -> None:
    """All objects of a service are deleted at once: partners keep every day that is not over."""
    stage = open_stage(minutes)
    of_service = {key: document for key, document in stage.sources.items() if key[0] == sid}
    before = {key: stage.shown(key) for key in of_service}

    stage.remove(of_service)
    stage.pass_time(_DAY / 2)
    held = {key: stage.shown(key) for key in of_service}
    stage.put(of_service)

    assert held == before
    assert stage.is_level()


@seriously
@given(minutes=st.integers(0, _DAY), day=st.integers(1, DAYS - 1))
def test_two_services_that_lose_a_day_at_once_are_held(
    open_stage: Callable[[int], Stage], minutes: int, day: int
) -> None:
    """The budget of the whole does not allow it."""
    stage = open_stage(minutes)
    removed = [(sid, FIRST_DAY + timedelta(days=day)) for sid in SERVICES]
    before = [stage.shown(key) for key in removed]

    stage.remove(removed)
    stage.pass_time(2 * _HOUR)

    assert [stage.shown(key) for key in removed] == before


@seriously
@given(key=keys, minutes=st.integers(0, _DAY - 1))
def test_a_single_removed_day_is_ordinary(
    open_stage: Callable[[int], Stage], key: SourceKey, minutes: int
) -> None:
    """The budget of a service allows a day."""
    stage = open_stage(minutes)

    stage.remove([key])

    assert stage.shown(key) is None
    assert stage.replay.account.holds.all == []


@seriously
@given(sid=st.sampled_from(SERVICES), minutes=st.integers(0, _DAY))
def test_a_service_whose_episodes_become_unknown_is_held(
    open_stage: Callable[[int], Stage], sid: str, minutes: int
) -> None:
    """A guide without titles is a loss as much as one without broadcasts."""
    stage = open_stage(minutes)
    of_service = {key: document for key, document in stage.sources.items() if key[0] == sid}
    before = {key: stage.shown(key) for key in of_service}

    stage.put({key: unknown_episodes(document) for key, document in of_service.items()})
    held = {key: stage.shown(key) for key in of_service}
    stage.put(of_service)

    assert held == before
    assert stage.is_level()


@seriously
@given(minutes=moments, seed=st.integers(0, 1 << 16), count=st.integers(1, 15))
def test_ordinary_edits_are_not_held(
    open_stage: Callable[[int], Stage], minutes: int, seed: int, count: int
) -> None:
    """Moves, drops, insertions, overruns and torn states reach partners at once."""
    stage = open_stage(minutes)
    traffic = Traffic(Sample(small_guide().catalogue, stage.sources), Random(seed))

    for _ in range(count):
        stage.change(traffic.next_change(stage.now))
        stage.pass_time(5)

    assert stage.replay.account.holds.all == []
    assert stage.is_level()


@seriously
@given(key=keys, minutes=moments, share=st.floats(0.8, 0.99))
def test_a_small_loss_is_not_held(
    open_stage: Callable[[int], Stage], key: SourceKey, minutes: int, share: float
) -> None:
    """A service that ends a little earlier is an ordinary edit."""
    stage = open_stage(minutes)
    if _is_over(stage, key):
        return

    stage.put({key: truncated(share).make(stage.sources[key], stage.now)})

    assert stage.replay.account.holds.all == []
    assert stage.is_level()


@seriously
@given(key=keys, minutes=moments, which=st.sets(st.integers(0, 60), min_size=1))
def test_a_blanking_is_published_at_once(
    open_stage: Callable[[int], Stage], key: SourceKey, minutes: int, which: set[int]
) -> None:
    """It may be a matter of rights, however many broadcasts it concerns."""
    stage = open_stage(minutes)

    stage.put({key: blanked(stage.sources[key], sorted(which))})

    assert stage.replay.account.holds.all == []
    assert stage.is_level()


@seriously
@given(key=keys, minutes=st.integers(0, _DAY - 1), left=st.integers(5, 65))
def test_a_blanking_in_a_held_document_is_published_at_once(
    open_stage: Callable[[int], Stage], key: SourceKey, minutes: int, left: int
) -> None:
    """The rest of the document is held; the broadcast that it blanks is blanked at partners."""
    stage = open_stage(minutes)
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
