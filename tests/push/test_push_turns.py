"""Webhooks over fakes: leases, the length of a turn, and deaths at any step."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from push_stage import EPOCH, HIDDEN, HOOK, KEY, OTHER, PushStage, version_id

from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.push.ports import Answer
from schedules_pipeline.push.push import FeedExtent, PushOutcome
from schedules_pipeline.push.turn import LEASE_FOR, TURN_FOR


@pytest.fixture
def stage() -> PushStage:
    made = PushStage()
    made.subscribe_webhook()
    return made


def test_a_leased_subscription_is_skipped(stage: PushStage) -> None:
    """A second pusher does nothing during the first one's turn."""
    stage.publish(KEY)
    reports = []
    stage.receiver._arrive = _between(stage, lambda: reports.append(stage.new_pusher().push(HOOK)))  # type: ignore[method-assign]

    stage.push()

    assert [report.outcome for report in reports] == [PushOutcome.SKIPPED]
    assert stage.receiver.data() == [(str(KEY), 1)]


def test_a_lost_lease_ends_the_turn(stage: PushStage) -> None:
    """A pusher that outsleeps its lease stops, and does not move the position back."""
    for _ in range(3):
        stage.publish(KEY)

    def sleep_while_another_pushes() -> None:
        stage.clock.advance(LEASE_FOR)
        stage.new_pusher().push(HOOK)

    stage.receiver._arrive = _between(stage, sleep_while_another_pushes)  # type: ignore[method-assign]

    report = stage.push()

    assert report.outcome is PushOutcome.LEASE_LOST
    assert stage.standing().progress.position == "3"
    assert stage.receiver.data() == [(str(KEY), number) for number in (3, 3)]


def _between(stage: PushStage, happen: Callable[[], object]) -> Callable[..., Answer]:
    """Run ``happen`` before the first request arrives."""
    arrive = stage.receiver._arrive
    left = [happen]

    def arriving(url: str, headers: dict[str, str], body: bytes) -> Answer:
        if left:
            left.pop()()
        return arrive(url, headers, body)

    return arriving


def test_a_turn_is_limited_in_time(stage: PushStage) -> None:
    """The next turn continues where it ended."""
    keys = [ScheduleKey.parse(f"alder_one/2026-03-0{day}") for day in range(1, 6)]
    for key in keys:
        stage.publish(key)
    arrive = stage.receiver._arrive

    def slow(url: str, headers: dict[str, str], body: bytes) -> Answer:
        stage.clock.advance(TURN_FOR / 2)
        return arrive(url, headers, body)

    stage.receiver._arrive = slow  # type: ignore[method-assign]

    delivered = [stage.push().delivered for _ in range(3)]

    assert delivered == [2, 2, 1]
    assert stage.receiver.data() == [(str(key), 1) for key in keys]


def test_the_next_turn_repeats_no_accepted_version(stage: PushStage) -> None:
    """A turn ends while an older change is pending: what was accepted beyond it is remembered."""
    for key in (KEY, OTHER, KEY):
        stage.publish(key)
    stage.clock.advance(TURN_FOR)
    arrive = stage.receiver._arrive

    def slow(url: str, headers: dict[str, str], body: bytes) -> Answer:
        stage.clock.advance(TURN_FOR)
        return arrive(url, headers, body)

    stage.receiver._arrive = slow  # type: ignore[method-assign]

    stage.push()
    ahead = stage.standing().progress.ahead
    stage.push_all()

    assert ahead == ((str(KEY), 2),)
    assert stage.receiver.data() == [(str(KEY), 2), (str(OTHER), 1)]


def test_a_receiver_that_has_everything_leaves_nothing_to_remember(stage: PushStage) -> None:
    """The progress is a position alone."""
    for key in (KEY, OTHER, KEY):
        stage.publish(key)

    stage.push()

    assert stage.standing().progress.ahead == ()


def test_a_turn_ends_when_the_process_stops(stage: PushStage) -> None:
    """Nothing more is sent, and the lease is free at once."""
    stage.publish(KEY)

    report = stage.pusher.push(HOOK, lambda: True)

    assert report.delivered == 0
    assert stage.push().delivered == 1


def test_a_paused_subscription_waits(stage: PushStage) -> None:
    """Nothing is sent during a pause."""
    stage.publish(KEY)
    lease = stage.store.subscriptions.seize(HOOK, stage.clock(), LEASE_FOR)
    assert lease is not None
    paused = replace(lease.standing.subscription, is_paused=True)
    stage.store.subscriptions.save(lease, lease.standing.progress, stage.clock(), paused)

    assert stage.push().outcome is PushOutcome.SKIPPED
    assert stage.receiver.received == []


def test_there_is_work_if_the_feed_is_ahead(stage: PushStage) -> None:
    """Also if the feed was trimmed beyond the position, or began anew."""
    standing = stage.standing()
    wanted = partial(stage.pusher.has_work, standing)

    assert not wanted(FeedExtent("0", "0", EPOCH))
    assert wanted(FeedExtent("1", "0", EPOCH))
    assert wanted(FeedExtent("0", "5", EPOCH))
    assert wanted(FeedExtent("0", "0", "another"))


@pytest.mark.parametrize("steps", range(60))
def test_a_death_at_any_step_loses_no_change(stage: PushStage, steps: int) -> None:
    """The next turn sends the rest; what the position does not cover is repeated, once and with the same id."""
    for key in (KEY, HIDDEN, OTHER, KEY, HIDDEN, OTHER):
        stage.publish(key)

    stage.die_while_pushing(steps)
    stage.push_all()

    ids = stage.receiver.ids()
    first = list(dict.fromkeys(ids))
    assert first == [version_id(KEY, 2), version_id(OTHER, 2)]
    assert len(ids) <= 2 * len(first)
    assert stage.receiver.state() == stage.published()


def test_a_whole_turn_has_fewer_steps_than_are_tried(stage: PushStage) -> None:
    """The test above covers every step."""
    for key in (KEY, HIDDEN, OTHER, KEY, HIDDEN, OTHER):
        stage.publish(key)

    assert stage.die_while_pushing(59)


_ANSWERS = st.sampled_from(
    [Answer(204), Answer(500), Answer(429, "30"), Answer(302), Answer(0, problem="ReadTimeoutError")]
)


_DEEDS = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from([KEY, OTHER, HIDDEN]), st.booleans()),
    st.tuples(st.just("push"), st.lists(_ANSWERS, max_size=4), st.none()),
    st.tuples(st.just("die"), st.integers(0, 40), st.none()),
    st.tuples(st.just("wait"), st.integers(1, 1_000), st.none()),
)


@given(deeds=st.lists(_DEEDS, max_size=40), concurrency=st.integers(1, 3), batch=st.integers(1, 3))
def test_the_receiver_converges_to_the_published_state(
    deeds: list[tuple[str, object, object]], concurrency: int, batch: int
) -> None:
    """After any sequence of failures, deaths and delays: no schedule goes back in versions, not even in a repetition,
    and applying what arrives gives the published state.
    """
    stage = PushStage()
    stage.subscribe_webhook(concurrency=concurrency, batch=batch)
    for deed, what, more in deeds:
        match deed, what:
            case "publish", key:
                stage.publish(key, removed=bool(more) and stage.seqs.get(key, 0) > 0)  # type: ignore[arg-type, call-overload]
            case "push", list() as answers:
                stage.receiver.answers = [*answers]
                stage.push()
            case "die", int() as steps:
                stage.die_while_pushing(steps)
            case "wait", int() as seconds:
                stage.wait(seconds=seconds)

    stage.receiver.answers = []
    stage.wait(hours=2)
    stage.push_all()

    for key in (KEY, OTHER):
        numbers = [seq for name, seq in stage.receiver.data() if name == str(key)]
        assert numbers == sorted(numbers)
    assert stage.receiver.state() == stage.published()
