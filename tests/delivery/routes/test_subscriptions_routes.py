"""A partner's own subscriptions over HTTP."""

from datetime import timedelta

import pytest
from builders import a_change
from delivery_stage import DeliveryStage
from push_stage import KEY

from schedules_pipeline.delivery.routes.documented_queries import SubscriptionState, SubscriptionStates
from schedules_pipeline.documents.change_row import render_row
from schedules_pipeline.documents.cursors import FeedCursor, render_cursor
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.push.subscription import (
    Failure,
    Progress,
    Subscription,
    SubscriptionKind,
    after_failure,
)

_NAME = "acme-webhook"


@pytest.fixture
def stage() -> DeliveryStage:
    """The subscription of ``acme`` has failed once, a minute after a change; another partner has one too."""
    stage = DeliveryStage()
    stage.store.coldstarts.begin_epoch("first")
    epoch = stage.store.coldstarts.epoch()
    assert epoch is not None
    stage.add_partner(Partner("other", stage.clock()))
    change = a_change(KEY, 1, published_at=stage.clock())
    stage.store.feed.append([(KEY, 1, render_row(change))])
    stage.clock.advance(timedelta(minutes=1))
    failed = after_failure(
        Progress("0", epoch.id), Failure("answered with status 500"), stage.clock(), 1.0, timedelta(days=1)
    )
    for partner in ("acme", "other"):
        made = Subscription(
            f"{partner}-webhook", partner, SubscriptionKind.WEBHOOK, "https://x.example", stage.clock()
        )
        stage.store.subscriptions.create(made, failed)
    stage.keep_up()
    return stage


def _cursor(stage: DeliveryStage, position: str) -> str:
    epoch = stage.store.coldstarts.epoch()
    assert epoch is not None
    return render_cursor(FeedCursor(epoch.id, position))


def test_a_partner_sees_its_own_subscriptions(stage: DeliveryStage) -> None:
    """State, lag and the latest problem, as documented."""
    answer = stage.client().get("/v1/subscriptions")

    (found,) = answer.json()["subscriptions"]
    assert list(found) == list(SubscriptionState.model_fields)
    SubscriptionStates.model_validate_json(answer.content)
    assert (found["name"], found["state"], found["behind_seconds"]) == (_NAME, "failing", 60)
    assert (found["failures"], found["problem"]) == (1, "answered with status 500")
    assert stage.client().get(f"/v1/subscriptions/{_NAME}").json() == found


def test_subscriptions_of_others_do_not_exist(stage: DeliveryStage) -> None:
    """Neither to see nor to replay."""
    client = stage.client()
    body = {"cursor": _cursor(stage, "0")}

    for name in ("other-webhook", "missing"):
        assert client.get(f"/v1/subscriptions/{name}").status_code == 404
        assert client.post(f"/v1/subscriptions/{name}/replay", json=body).status_code == 404
    untouched = stage.store.subscriptions.one("other-webhook")
    assert untouched is not None
    assert untouched.progress.failures == 1


def test_a_replay_moves_the_position_and_ends_the_wait(stage: DeliveryStage) -> None:
    """The next turn sends what follows the cursor."""
    answer = stage.client().post(f"/v1/subscriptions/{_NAME}/replay", json={"cursor": _cursor(stage, "1")})

    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["behind_seconds"]) == ("well", 0)
    standing = stage.store.subscriptions.one(_NAME)
    assert standing is not None
    assert (standing.progress.position, standing.progress.next_at) == ("1", None)


def test_a_ping_ends_the_wait(stage: DeliveryStage) -> None:
    """The pusher sends it at its next check."""
    answer = stage.client().post(f"/v1/subscriptions/{_NAME}/ping")

    assert (answer.status_code, answer.json()["next_at"]) == (200, None)
    standing = stage.store.subscriptions.one(_NAME)
    assert standing is not None
    assert standing.progress.ping_at == stage.clock()


@pytest.mark.parametrize("cursor", ["nonsense", render_cursor(FeedCursor("another", "1"))])
def test_a_cursor_that_means_nothing_is_a_problem(stage: DeliveryStage, cursor: str) -> None:
    """The subscription stays as it was."""
    answer = stage.client().post(f"/v1/subscriptions/{_NAME}/replay", json={"cursor": cursor})

    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    standing = stage.store.subscriptions.one(_NAME)
    assert standing is not None
    assert standing.progress.failures == 1
