"""Webhooks over fakes: which requests are sent, in which order, and to which partners."""

from datetime import timedelta

import orjson
import pytest
from push_stage import CREATED_AT, EPOCH, HIDDEN, HOOK, KEY, MASTER, OTHER, PushStage, cursor_at

from schedules_pipeline.migration.ports import ServedSource, ServedState
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.push.manage_subscriptions import SubscriptionAdmin
from schedules_pipeline.push.ports import Answer
from schedules_pipeline.push.push import FeedExtent, PushOutcome
from schedules_pipeline.push.subscription import MOST_ANSWERS
from schedules_pipeline.push.turn import LEASE_FOR
from schedules_pipeline.push.webhook_signature import derive_secret, sign


@pytest.fixture
def stage() -> PushStage:
    made = PushStage()
    made.subscribe_webhook()
    return made


def test_changes_are_delivered_in_feed_order(stage: PushStage) -> None:
    """A receiver that keeps up gets one request for each change, removals included."""
    for key, removed in ((KEY, False), (OTHER, False), (KEY, False), (OTHER, True)):
        stage.publish(key, removed=removed)
        assert stage.push().delivered == 1

    assert stage.receiver.data() == [(str(KEY), 1), (str(OTHER), 1), (str(KEY), 2), (str(OTHER), 2)]
    assert stage.standing().progress.position == "4"
    assert stage.standing().progress.delivered_at == stage.clock()


def test_a_receiver_that_is_behind_gets_the_newest_versions(stage: PushStage) -> None:
    """Of several changes of a schedule only the newest is sent, in its place a removal; the oldest missing first."""
    stage.publish(KEY)
    stage.publish(OTHER)
    stage.publish(KEY)
    stage.publish(OTHER, removed=True)

    report = stage.push()

    assert (report.outcome, report.delivered) == (PushOutcome.DELIVERED, 2)
    assert stage.receiver.data() == [(str(KEY), 2), (str(OTHER), 2)]
    assert [event["type"] for event in stage.receiver.accepted] == ["schedule.published", "schedule.removed"]
    assert [event["data"]["cursor"] for event in stage.receiver.accepted] == [cursor_at("1"), cursor_at("4")]
    assert stage.standing().progress.position == "4"


def test_a_request_describes_the_change(stage: PushStage) -> None:
    """The body has the schedule, its version and address, and the cursor after the change."""
    stage.publish(KEY)
    stage.push()
    stage.publish(KEY, removed=True)
    stage.push()

    published, removed = stage.receiver.accepted
    assert published == {
        "id": "chg_life-1_alder_one_2026-03-28_1",
        "type": "schedule.published",
        "timestamp": "2026-03-28T12:00:00Z",
        "data": {
            "sid": "alder_one",
            "date": "2026-03-28",
            "seq": 1,
            "etag": f"{1:032x}",
            "published_at": "2026-03-28T12:00:00Z",
            "href": "/v1/schedules/alder_one/2026-03-28?min_seq=1",
            "cursor": cursor_at("1"),
        },
    }
    assert removed["type"] == "schedule.removed"
    assert removed["data"]["etag"] is None


def test_a_request_is_signed(stage: PushStage) -> None:
    """The signature is made with the subscription's secret over the exact bytes and the event's id."""
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


def test_other_services_are_skipped(stage: PushStage) -> None:
    """Changes that the partner may not see are not sent and delay nothing."""
    stage.publish(HIDDEN)
    stage.publish(KEY)
    stage.publish(HIDDEN)

    report = stage.push()

    assert report.delivered == 1
    assert stage.receiver.data() == [(str(KEY), 1)]
    assert stage.standing().progress.position == "3"


def test_without_changes_nothing_is_sent(stage: PushStage) -> None:
    """The turn releases the lease, so the next one succeeds too."""
    assert stage.push().outcome is PushOutcome.DELIVERED
    assert stage.push().outcome is PushOutcome.DELIVERED
    assert stage.receiver.received == []


def test_before_the_switch_changes_wait(stage: PushStage) -> None:
    """They are delivered after the switch."""
    stage.store.served.change(ServedState(2, ServedSource.LEGACY, CREATED_AT, "me", "", None, forced=False))
    stage.publish(KEY)

    held = stage.push()
    stage.store.served.change(ServedState(3, ServedSource.OURS, CREATED_AT, "me", "", None, forced=False))
    stage.push()

    assert held.outcome is PushOutcome.NOT_SERVED
    assert stage.receiver.data() == [(str(KEY), 1)]


def test_a_preview_partner_is_served_before_the_switch(stage: PushStage) -> None:
    """Preview partners are served from the pipeline's keyspace at all times."""
    before = stage.store.partners.one("harbour")
    assert before is not None
    stage.store.partners.change(before, Partner("harbour", CREATED_AT, ("*",), is_preview=True))
    stage.store.served.change(ServedState(2, ServedSource.LEGACY, CREATED_AT, "me", "", None, forced=False))
    stage.publish(KEY)

    assert stage.push().delivered == 1


def test_an_incomplete_keyspace_is_not_delivered() -> None:
    """Nothing is sent before the first coldstart has ended; then a reset is."""
    stage = PushStage()
    stage.store.coldstarts.current_epoch = None
    stage.subscribe_webhook(epoch="")
    stage.publish(KEY)

    held = stage.push()
    stage.store.coldstarts.begin_epoch(EPOCH)
    stage.push()

    assert held.outcome is PushOutcome.NOT_SERVED
    assert [event["type"] for event in stage.receiver.accepted] == ["feed.reset"]


def test_missed_rows_cause_a_reset(stage: PushStage) -> None:
    """If pending rows were trimmed, one event refers the receiver to the digest, and later changes follow."""
    stage.publish(KEY)
    stage.publish(OTHER)
    stage.wait(days=9)
    stage.store.feed.trim(stage.clock())
    stage.publish(KEY)

    stage.push()
    stage.publish(OTHER)
    stage.push()

    reset, change = stage.receiver.accepted
    assert reset["type"] == "feed.reset"
    assert reset["data"]["cursor"] == cursor_at("3")
    assert reset["data"]["href"] == "/v1/digest"
    assert (change["data"]["sid"], change["data"]["seq"]) == (OTHER.sid, 2)


def test_trimming_delivered_rows_causes_no_reset(stage: PushStage) -> None:
    """Only pending rows count."""
    stage.publish(KEY)
    stage.push()
    stage.wait(days=9)
    stage.store.feed.trim(stage.clock())

    stage.push()
    stage.publish(OTHER)
    stage.push()

    assert [event["type"] for event in stage.receiver.accepted] == ["schedule.published"] * 2


def test_another_keyspace_causes_a_reset(stage: PushStage) -> None:
    """The position is meaningless in a feed that began anew."""
    stage.publish(KEY)
    stage.push()
    stage.store.coldstarts.current_epoch = None
    stage.store.coldstarts.begin_epoch("life-2")

    stage.push()

    assert stage.receiver.accepted[-1]["type"] == "feed.reset"
    assert "anew" in stage.receiver.accepted[-1]["data"]["reason"]
    assert stage.standing().progress.epoch == "life-2"


def test_a_ping_is_sent_without_a_change(stage: PushStage) -> None:
    """Also during the wait after a failure; its acceptance ends the failures and moves no position."""
    stage.publish(KEY)
    stage.push()
    position, admin = (
        stage.standing().progress.position,
        SubscriptionAdmin(stage.store.as_store(), stage.clock),
    )
    stage.receiver.answers = [Answer(500)]

    for _ in range(2):
        admin.ping(HOOK)
        assert stage.pusher.has_work(stage.standing(), FeedExtent(position, "0", EPOCH))
        stage.push()

    assert [event["type"] for event in stage.receiver.accepted] == ["schedule.published", "subscription.ping"]
    progress = stage.standing().progress
    assert (progress.position, progress.failures, progress.ping_at) == (position, 0, None)


def test_the_latest_answers_are_kept(stage: PushStage) -> None:
    """Status and number of changes of each, also of failures and pings, and no more than the newest twenty."""
    stage.receiver.answers = [Answer(500), Answer(0, problem="no route")]
    for _ in range(2):
        stage.publish(KEY)
        stage.push()
        stage.clock.advance(timedelta(hours=1))
    SubscriptionAdmin(stage.store.as_store(), stage.clock).ping(HOOK)
    stage.push()

    kept = [(each.status, each.changes, each.problem) for each in stage.standing().progress.attempts]
    assert kept == [(500, 1, ""), (0, 1, "no route"), (204, 0, ""), (204, 1, "")]
    for _ in range(MOST_ANSWERS):
        stage.publish(KEY)
        stage.push()
    attempts = stage.standing().progress.attempts
    assert len(attempts) == MOST_ANSWERS
    assert {each.status for each in attempts} == {204}
    assert attempts[-1].at == stage.clock()


def test_a_failed_reset_is_repeated(stage: PushStage) -> None:
    """The position stays until the receiver has accepted the reset."""
    stage.publish(KEY)
    stage.store.coldstarts.current_epoch = None
    stage.store.coldstarts.begin_epoch("life-2")
    stage.receiver.answers = [Answer(500)]

    stage.push()
    stage.push_all()

    assert [event["type"] for event in stage.receiver.accepted] == ["feed.reset"]


def test_without_a_master_secret_nothing_is_sent(stage: PushStage) -> None:
    """No request goes out unsigned; the problem names the setting."""
    stage.publish(KEY)

    report = stage.new_pusher(master=None).push(HOOK)

    assert report.outcome is PushOutcome.FAILED
    assert "SCHEDULES_WEBHOOK_MASTER_SECRET" in report.problem
    assert stage.receiver.received == []


def test_after_a_rotation_both_secrets_sign(stage: PushStage) -> None:
    """For a day there are two signatures, the newer first."""
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
