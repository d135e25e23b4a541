"""Webhooks over fakes: what is sent, in which order, what is repeated, and what a failure or a death leads to."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from push_stage import CREATED_AT, EPOCH, HIDDEN, HOOK, KEY, MASTER, OTHER, PushStage

from schedules_pipeline.migration.ports.served import ServedSource, ServedState
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.push.ports import Answer
from schedules_pipeline.push.push import FeedExtent, PushOutcome
from schedules_pipeline.push.turn import LEASE_FOR, TURN_FOR
from schedules_pipeline.push.webhook_signature import derive_secret, sign


@pytest.fixture
def stage() -> PushStage:
    made = PushStage()
    made.subscribe_webhook()
    return made


def test_every_change_is_told_in_the_order_of_the_feed(stage: PushStage) -> None:
    """One request a change, removals included, and the place is behind the last."""
    stage.publish(KEY)
    stage.publish(OTHER)
    stage.publish(KEY)
    stage.publish(OTHER, removed=True)

    report = stage.push()

    assert report.outcome is PushOutcome.DELIVERED
    assert report.delivered == 4
    assert stage.receiver.data() == [(str(KEY), 1), (str(OTHER), 1), (str(KEY), 2), (str(OTHER), 2)]
    assert stage.standing().progress.position == "4"
    assert stage.standing().progress.delivered_at == stage.clock()


def test_a_request_says_what_changed(stage: PushStage) -> None:
    """The body names the schedule, its version, where it is, and from where the feed goes on."""
    stage.publish(KEY)
    stage.publish(KEY, removed=True)

    stage.push()

    published, removed = stage.receiver.taken
    assert published == {
        "id": "chg_life-1_1",
        "type": "schedule.published",
        "timestamp": "2026-03-28T12:00:00Z",
        "data": {
            "sid": "alder_one",
            "date": "2026-03-28",
            "seq": 1,
            "etag": f"{1:032x}",
            "published_at": "2026-03-28T12:00:00Z",
            "href": "/v1/schedules/alder_one/2026-03-28?min_seq=1",
            "cursor": "life-1@1",
        },
    }
    assert removed["type"] == "schedule.removed"
    assert removed["data"]["etag"] is None


def test_a_request_is_signed(stage: PushStage) -> None:
    """The id is the event's, and the signature that of the subscription's secret over the very bytes."""
    stage.publish(KEY)

    stage.push()

    ((url, headers, body),) = stage.receiver.received
    secret = derive_secret(MASTER, stage.standing().subscription, 1)
    assert url == "https://push.example.org/in"
    assert headers["webhook-id"] == orjson.loads(body)["id"]
    assert headers["webhook-timestamp"] == str(int(stage.clock().timestamp()))
    assert headers["webhook-signature"] == sign(
        secret, headers["webhook-id"], int(stage.clock().timestamp()), body
    )


def test_other_services_are_passed_over(stage: PushStage) -> None:
    """What the partner may not see is not told, and holds up nothing."""
    stage.publish(HIDDEN)
    stage.publish(KEY)
    stage.publish(HIDDEN)

    report = stage.push()

    assert report.delivered == 1
    assert stage.receiver.data() == [(str(KEY), 1)]
    assert stage.standing().progress.position == "3"


def test_nothing_to_tell_is_no_request(stage: PushStage) -> None:
    """A turn without changes sends nothing and leaves the subscription free."""
    assert stage.push().outcome is PushOutcome.DELIVERED
    assert stage.push().outcome is PushOutcome.DELIVERED
    assert stage.receiver.received == []


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer(500), "answered with status 500"),
        (Answer(301), "answered with status 301"),
        (Answer(404), "answered with status 404"),
        (Answer(0, problem="ReadTimeoutError"), "no answer: ReadTimeoutError"),
    ],
)
def test_what_was_not_taken_is_sent_again_before_anything_else(
    stage: PushStage, answer: Answer, problem: str
) -> None:
    """The same request comes again under the same id; what follows waits for it."""
    stage.publish(KEY)
    stage.publish(OTHER)
    stage.receiver.answers = [answer]

    failed = stage.push()
    early = stage.push()
    stage.wait(seconds=5)
    later = stage.push()

    assert (failed.outcome, failed.problem) == (PushOutcome.FAILED, problem)
    assert early.outcome is PushOutcome.SKIPPED
    assert later.delivered == 2
    assert [h["webhook-id"] for _, h, _ in stage.receiver.received] == [
        *("chg_life-1_1", "chg_life-1_1", "chg_life-1_2")
    ]
    assert stage.standing().progress.failures == 0


def test_pauses_grow_and_end_at_a_success(stage: PushStage) -> None:
    """Each failure in a row doubles the pause, up to a quarter of an hour."""
    stage.publish(KEY)
    pauses = []
    for _ in range(10):
        stage.receiver.answers = [Answer(500)]
        stage.push()
        next_at = stage.standing().progress.next_at
        assert next_at is not None
        pauses.append((next_at - stage.clock()).total_seconds())
        stage.clock.advance(next_at - stage.clock())

    assert pauses == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        (429, "120", 120),
        (503, "Sat, 28 Mar 2026 12:10:00 GMT", 600),
        (429, "999999", 3600),
        (429, "soon", 5),
        (429, "", 5),
        (500, "120", 5),
    ],
)
def test_a_receiver_may_ask_to_be_left_alone(
    stage: PushStage, status: int, header: str, seconds: int
) -> None:
    """For as long as it says, at most an hour; other statuses cannot ask."""
    stage.publish(KEY)
    stage.receiver.answers = [Answer(status, header)]

    stage.push()

    assert stage.standing().progress.next_at == stage.clock() + timedelta(seconds=seconds)


def test_who_says_gone_is_set_aside(stage: PushStage) -> None:
    """Status 410 ends it at once; nothing is sent until it is resumed, and then everything that it missed."""
    stage.publish(KEY)
    stage.receiver.answers = [Answer(410)]

    report = stage.push()
    stage.wait(days=2)
    again = stage.push()

    assert report.outcome is PushOutcome.QUARANTINED
    assert again.outcome is PushOutcome.SKIPPED
    assert len(stage.receiver.received) == 1
    quarantine = stage.standing().progress.quarantine
    assert quarantine is not None
    assert "410" in quarantine.reason


def test_who_fails_for_a_day_is_set_aside(stage: PushStage) -> None:
    """Until then it is tried, and its place stays where it was."""
    stage.publish(KEY)
    stage.receiver.answers = [Answer(500)] * 1_000

    while stage.standing().progress.quarantine is None:
        stage.push()
        stage.wait(minutes=15)

    progress = stage.standing().progress
    assert progress.failing_since is not None
    assert progress.quarantine is not None
    assert progress.quarantine.since - progress.failing_since >= timedelta(hours=24)
    assert progress.position == "0"
    assert stage.clock() - progress.failing_since < timedelta(hours=25)


def test_a_few_failures_far_apart_set_nothing_aside(stage: PushStage) -> None:
    """Where nobody pushed for days, that is no fault of the receiver's."""
    stage.publish(KEY)
    for _ in range(9):
        stage.receiver.answers = [Answer(500)]
        stage.push()
        stage.wait(days=1)

    assert stage.standing().progress.quarantine is None


def test_a_removed_partner_is_told_nothing(stage: PushStage) -> None:
    """Its subscription is set aside, and says why."""
    stage.publish(KEY)
    stage.store.partners.remove("harbour")

    report = stage.push()

    assert report.outcome is PushOutcome.QUARANTINED
    assert report.problem == "there is no partner harbour"
    assert stage.receiver.received == []


def test_before_the_switch_partners_are_not_told(stage: PushStage) -> None:
    """While the old system serves, everything waits, and nothing is lost."""
    stage.store.served.change(ServedState(2, ServedSource.LEGACY, CREATED_AT, "me", "", None, forced=False))
    stage.publish(KEY)

    held = stage.push()
    stage.store.served.change(ServedState(3, ServedSource.OURS, CREATED_AT, "me", "", None, forced=False))
    stage.push()

    assert held.outcome is PushOutcome.NOT_SERVED
    assert stage.receiver.data() == [(str(KEY), 1)]


def test_a_preview_partner_is_told_before_the_switch(stage: PushStage) -> None:
    """It is served from our keyspace whatever the others are."""
    before = stage.store.partners.one("harbour")
    assert before is not None
    stage.store.partners.change(before, Partner("harbour", CREATED_AT, ("*",), is_preview=True))
    stage.store.served.change(ServedState(2, ServedSource.LEGACY, CREATED_AT, "me", "", None, forced=False))
    stage.publish(KEY)

    assert stage.push().delivered == 1


def test_a_keyspace_that_is_not_whole_is_not_told_of() -> None:
    """Before the first coldstart has ended nothing is sent; then the subscription is sent to the digest."""
    stage = PushStage()
    stage.store.coldstarts._epoch = None
    stage.subscribe_webhook(epoch="")
    stage.publish(KEY)

    held = stage.push()
    stage.store.coldstarts.begin_epoch(EPOCH)
    stage.push()

    assert held.outcome is PushOutcome.NOT_SERVED
    assert [event["type"] for event in stage.receiver.taken] == ["feed.reset"]


def test_who_missed_rows_is_sent_to_the_digest(stage: PushStage) -> None:
    """Where rows were trimmed that it was not told of, one event says so, and it goes on from then."""
    stage.publish(KEY)
    stage.publish(OTHER)
    stage.wait(days=9)
    stage.store.feed.trim(stage.clock())
    stage.publish(KEY)

    stage.push()
    stage.publish(OTHER)
    stage.push()

    reset, change = stage.receiver.taken
    assert reset["type"] == "feed.reset"
    assert reset["data"]["cursor"] == "life-1@3"
    assert reset["data"]["href"] == "/v1/digest"
    assert (change["data"]["sid"], change["data"]["seq"]) == (OTHER.sid, 2)


def test_who_was_told_everything_has_missed_nothing(stage: PushStage) -> None:
    """Rows that were told and then trimmed are no gap, however long nothing changed."""
    stage.publish(KEY)
    stage.push()
    stage.wait(days=9)
    stage.store.feed.trim(stage.clock())

    stage.push()
    stage.publish(OTHER)
    stage.push()

    assert [event["type"] for event in stage.receiver.taken] == ["schedule.published"] * 2


def test_another_life_of_the_keyspace_is_told(stage: PushStage) -> None:
    """A place in a feed that is gone means nothing in the one that began anew."""
    stage.publish(KEY)
    stage.push()
    stage.store.coldstarts._epoch = None
    stage.store.coldstarts.begin_epoch("life-2")

    stage.push()

    assert stage.receiver.taken[-1]["type"] == "feed.reset"
    assert "anew" in stage.receiver.taken[-1]["data"]["reason"]
    assert stage.standing().progress.epoch == "life-2"


def test_an_event_that_is_not_taken_is_no_reset(stage: PushStage) -> None:
    """The receiver must hear that it missed something, so the place stays until it has."""
    stage.publish(KEY)
    stage.store.coldstarts._epoch = None
    stage.store.coldstarts.begin_epoch("life-2")
    stage.receiver.answers = [Answer(500)]

    stage.push()
    stage.push_all()

    assert [event["type"] for event in stage.receiver.taken] == ["feed.reset"]


def test_without_a_master_secret_nothing_is_sent(stage: PushStage) -> None:
    """Nothing goes out unsigned; what is wrong names the setting."""
    stage.publish(KEY)

    report = stage.new_pusher(master=None).push(HOOK)

    assert report.outcome is PushOutcome.FAILED
    assert "SCHEDULES_WEBHOOK_MASTER_SECRET" in report.problem
    assert stage.receiver.received == []


def test_while_a_secret_is_rotated_both_sign(stage: PushStage) -> None:
    """For a day there are two signatures, the newer first; after it only that."""
    subscription = stage.standing().subscription.rotated(stage.clock())
    lease = stage.store.subscriptions.seize(HOOK, stage.clock(), LEASE_FOR)
    assert lease is not None
    stage.store.subscriptions.save(lease, lease.standing.progress, stage.clock(), subscription)
    stage.publish(KEY)
    stage.push()
    stage.wait(hours=24)
    stage.publish(KEY)

    stage.push()

    during, after = ([*h["webhook-signature"].split()] for _, h, _ in stage.receiver.received)
    (_, headers, body), _ = stage.receiver.received
    secrets = [derive_secret(MASTER, subscription, generation) for generation in (2, 1)]
    timestamp = int(headers["webhook-timestamp"])
    assert during == [sign(secret, headers["webhook-id"], timestamp, body) for secret in secrets]
    assert len(after) == 1


def test_one_at_a_time_pushes_a_subscription(stage: PushStage) -> None:
    """While one has its turn, another finds it taken."""
    stage.publish(KEY)
    reports = []
    stage.receiver._arrive = _between(stage, lambda: reports.append(stage.new_pusher().push(HOOK)))  # type: ignore[method-assign]

    stage.push()

    assert [report.outcome for report in reports] == [PushOutcome.SKIPPED]
    assert stage.receiver.data() == [(str(KEY), 1)]


def test_who_was_overtaken_moves_nothing(stage: PushStage) -> None:
    """One that sleeps through its lease stops at its next step, wherever the other has come to."""
    for _ in range(3):
        stage.publish(KEY)

    def sleep_while_another_pushes() -> None:
        stage.clock.advance(LEASE_FOR)
        stage.new_pusher().push(HOOK)

    stage.receiver._arrive = _between(stage, sleep_while_another_pushes)  # type: ignore[method-assign]

    report = stage.push()

    assert report.outcome is PushOutcome.LEASE_LOST
    assert stage.standing().progress.position == "3"
    assert stage.receiver.data() == [(str(KEY), number) for number in (1, 2, 3, 1)]


def _between(stage: PushStage, happen: Callable[[], object]) -> Callable[..., Answer]:
    """Before the first request arrives something happens."""
    arrive = stage.receiver._arrive
    left = [happen]

    def arriving(url: str, headers: dict[str, str], body: bytes) -> Answer:
        if left:
            left.pop()()
        return arrive(url, headers, body)

    return arriving


def test_a_turn_ends_after_a_while(stage: PushStage) -> None:
    """Whoever has much to tell lets others have their turn, and goes on where it was."""
    for _ in range(5):
        stage.publish(KEY)
    arrive = stage.receiver._arrive

    def slow(url: str, headers: dict[str, str], body: bytes) -> Answer:
        stage.clock.advance(TURN_FOR / 2)
        return arrive(url, headers, body)

    stage.receiver._arrive = slow  # type: ignore[method-assign]

    delivered = [stage.push().delivered for _ in range(3)]

    assert delivered == [2, 2, 1]
    assert stage.receiver.data() == [(str(KEY), number) for number in range(1, 6)]


def test_a_turn_ends_when_the_process_is_to_stop(stage: PushStage) -> None:
    """Nothing more is sent, and the next process has it at once."""
    stage.publish(KEY)

    report = stage.pusher.push(HOOK, lambda: True)

    assert report.delivered == 0
    assert stage.push().delivered == 1


def test_a_paused_subscription_waits(stage: PushStage) -> None:
    """It is not told, and misses nothing."""
    stage.publish(KEY)
    lease = stage.store.subscriptions.seize(HOOK, stage.clock(), LEASE_FOR)
    assert lease is not None
    paused = replace(lease.standing.subscription, is_paused=True)
    stage.store.subscriptions.save(lease, lease.standing.progress, stage.clock(), paused)

    assert stage.push().outcome is PushOutcome.SKIPPED
    assert stage.receiver.received == []


def test_there_is_something_for_who_is_behind(stage: PushStage) -> None:
    """A turn is worth while where the feed is ahead, was trimmed, or is another, and not before the next attempt."""
    standing = stage.standing()
    wanted = partial(stage.pusher.has_work, standing)

    assert not wanted(FeedExtent("0", "0", EPOCH))
    assert wanted(FeedExtent("1", "0", EPOCH))
    assert wanted(FeedExtent("0", "5", EPOCH))
    assert wanted(FeedExtent("0", "0", "another"))


@pytest.mark.parametrize("steps", range(60))
def test_a_death_at_any_step_loses_nothing(stage: PushStage, steps: int) -> None:
    """Whoever dies wherever, the next one tells the rest, in order; what comes twice has the same id."""
    for key in (KEY, HIDDEN, OTHER, KEY, HIDDEN, OTHER):
        stage.publish(key)

    stage.die_while_pushing(steps)
    stage.push_all()

    ids = stage.receiver.ids()
    first = list(dict.fromkeys(ids))
    assert first == [f"chg_life-1_{position}" for position in (1, 3, 4, 6)]
    assert len(ids) <= len(first) + 1
    assert stage.receiver.state() == stage.published()


def test_a_whole_turn_has_fewer_steps_than_are_tried(stage: PushStage) -> None:
    """The test above dies at every step that there is."""
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


@given(deeds=st.lists(_DEEDS, max_size=40))
def test_whatever_happens_the_receiver_ends_with_what_is_published(
    deeds: list[tuple[str, object, object]],
) -> None:
    """Whatever fails, dies and is late: every row of the partner's is told, first in the order of the feed, and who
    applies what came holds the published state.
    """
    stage = PushStage()
    stage.subscribe_webhook()
    theirs: list[str] = []
    for deed, what, more in deeds:
        match deed, what:
            case "publish", key:
                stage.publish(key, removed=bool(more) and stage.seqs.get(key, 0) > 0)  # type: ignore[arg-type, call-overload]
                if key is not HIDDEN:
                    theirs.append(f"chg_life-1_{stage.store.feed.last_position()}")
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

    assert list(dict.fromkeys(stage.receiver.ids())) == theirs
    assert stage.receiver.state() == stage.published()
