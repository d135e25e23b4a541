"""A partner's own subscriptions over HTTP."""

import base64
from datetime import timedelta
from typing import Any

import pytest
from builders import a_change
from delivery_stage import DeliveryStage
from push_stage import KEY
from pydantic import SecretStr

from schedules_pipeline.delivery.routes.documented_queries import (
    RotatedSecret,
    SubscriptionState,
    SubscriptionStates,
)
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
from schedules_pipeline.push.webhook_signature import sign, signed_headers
from schedules_pipeline.settings import Settings

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


def _allow_rotation(stage: DeliveryStage) -> None:
    stage.settings = Settings(webhook_master_secret=SecretStr("a master secret that is no secret"))
    stage.begin_delivery()


def _rotate(stage: DeliveryStage, replaces: int) -> Any:
    return stage.client().post(f"/v1/subscriptions/{_NAME}/rotate-secret", json={"replaces": replaces})


def test_a_partner_rotates_the_secret(stage: DeliveryStage) -> None:
    """Both secrets sign until the time that the answer tells; then the new one alone does."""
    _allow_rotation(stage)
    answer = _rotate(stage, 1)
    found = RotatedSecret.model_validate_json(answer.content)
    standing = stage.store.subscriptions.one(_NAME)
    assert standing is not None
    made, until = standing.subscription, found.previous_signs_until
    assert until is not None

    signed = [
        signed_headers(b"a master secret that is no secret", made, "id", at, b"{}")[
            "webhook-signature"
        ].split()
        for at in (until - timedelta(seconds=1), until)
    ]

    secret = base64.b64decode(found.secret.removeprefix("whsec_"))
    assert [len(each) for each in signed] == [2, 1]
    for at, each in zip((until - timedelta(seconds=1), until), signed, strict=True):
        assert each[0] == sign(secret, "id", int(at.timestamp()), b"{}")
    assert answer.headers["cache-control"] == "no-store"


def test_a_repeated_rotation_gives_the_same_secret(stage: DeliveryStage) -> None:
    """If an answer is lost, asking again replaces nothing, so the receiver's secret stays valid."""
    _allow_rotation(stage)

    first, again, old = _rotate(stage, 1), _rotate(stage, 1), _rotate(stage, 3)

    assert first.json() == again.json()
    assert (first.json()["generation"], old.status_code) == (2, 400)


def test_without_the_master_secret_operators_rotate(stage: DeliveryStage) -> None:
    """A service that does not have it cannot sign either, and says whom to ask."""
    answer = _rotate(stage, 1)

    assert (answer.status_code, "operators" in answer.json()["detail"]) == (403, True)
    standing = stage.store.subscriptions.one(_NAME)
    assert standing is not None
    assert standing.subscription.generation == 1


@pytest.mark.parametrize("cursor", ["nonsense", render_cursor(FeedCursor("another", "1"))])
def test_a_cursor_that_means_nothing_is_a_problem(stage: DeliveryStage, cursor: str) -> None:
    """The subscription stays as it was."""
    answer = stage.client().post(f"/v1/subscriptions/{_NAME}/replay", json={"cursor": cursor})

    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    standing = stage.store.subscriptions.one(_NAME)
    assert standing is not None
    assert standing.progress.failures == 1
