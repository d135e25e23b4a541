"""The service as a partner sees it: fresh or not, incidents that concern it, and its limits."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import pytest
from delivery_stage import DeliveryStage
from toy_world import BROADCASTS, EPISODES, KEYS, SchedulePut, Slot

from schedules_pipeline.delivery.routes.documented_queries import Status
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.health.condition import ConditionName, Severity
from schedules_pipeline.health.incidents import Incident, State
from schedules_pipeline.maintenance.ports import PassName, PassReport
from schedules_pipeline.migration.ports import ServedSource, ServedState
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.push.subscription import (
    Failure,
    Progress,
    Subscription,
    SubscriptionKind,
    after_failure,
)

_DAY = timedelta(days=1)


@pytest.fixture
def stage() -> DeliveryStage:
    stage = DeliveryStage()
    stage.publish([SchedulePut(key, (Slot(BROADCASTS[0], EPISODES[0]),)) for key in KEYS])
    stage.add_partner(
        Partner("alder-fans", stage.clock(), ("alder",), requests_per_minute=5, requests_per_day=50)
    )
    stage.keep_up()
    _watch(stage)
    return stage


def _watch(
    stage: DeliveryStage, problem: str = "", counts: Mapping[str, int] = MappingProxyType({"open": 0})
) -> None:
    """The operators' watch checks now."""
    stage.store.passes.record(PassReport(PassName.WATCH, stage.clock(), stage.clock(), counts, problem))


def _status(stage: DeliveryStage, partner: str = "alder-fans") -> Mapping[str, Any]:
    answer = stage.client(partner).get("/v1/status")
    assert answer.status_code == 200
    assert list(answer.json()) == list(Status.model_fields)
    Status.model_validate_json(answer.content)
    found: Mapping[str, Any] = answer.json()
    return found


def test_status_tells_what_the_partner_can_read_and_ask(stage: DeliveryStage) -> None:
    """Its own services, the cursor that the feed is followed from, its keys, and what is left of its limits."""
    client = stage.client("alder-fans")
    found = _status(stage)

    assert (found["state"], found["services"], found["incidents"]) == ("current", 1, [])
    assert found["schedules"] == len([key for key in KEYS if key.sid == "alder"])
    assert found["cursor"] == client.get("/v1/digest").json()["cursor"]
    days = client.get("/v1/digest").json()["services"]["alder"]
    assert found["published_at"] == max(day["published_at"] for day in days)
    assert found["limits"] == {
        "minute": {"limit": 5, "left": 4},
        "day": {"limit": 50, "left": 49},
        "waiting": {"limit": 20, "left": 20},
    }
    assert [key["expires_at"] for key in found["keys"]] == [None]
    assert client.headers["authorization"].startswith(f"Bearer sk_{found['keys'][0]['id']}_")


def test_status_is_answered_while_nothing_else_is(stage: DeliveryStage) -> None:
    """Whoever gets 503 finds out why: the data are stale, too old, or the old system serves."""
    client = stage.client("alder-fans")
    rules, states = stage.delivery.policy.staleness, [_status(stage)["state"]]
    for wait in (rules.marked_after, rules.served_for):
        stage.clock.advance(wait + timedelta(seconds=1))
        states.append(_status(stage)["state"])
    assert client.get("/v1/services").status_code == 503
    stage.store.served.change(
        ServedState(2, ServedSource.LEGACY, stage.clock(), "test", "test", None, forced=False)
    )
    stage.keep_up()

    assert [*states, _status(stage)["state"]] == ["current", "stale", "unavailable", "not-switched"]
    assert client.get("/v1/services").json()["type"] == "/problems/not-switched"


def test_incidents_are_told_in_the_partners_terms(stage: DeliveryStage) -> None:
    """Those that partners notice, once for each consequence since its earliest cause; neither evidence nor others."""
    now = stage.clock()
    stage.store.incidents.save(
        [
            Incident(name, state, Severity.ERROR, "a secret of the operators", now - timedelta(hours=hours))
            for name, state, hours in (
                (ConditionName.PUBLISHER_MISSING, State.RAISED, 1),
                (ConditionName.SCHEDULES_LATE, State.RAISED, 3),
                (ConditionName.AIRTIME_HELD, State.RAISED, 2),
                (ConditionName.COLDSTART_STALLED, State.OVER, 4),
                (ConditionName.BACKLOG_GROWING, State.SUSPECTED, 5),
                (ConditionName.RUNS_FAILED, State.RAISED, 6),
            )
        ]
    )
    found = _status(stage)["incidents"]

    assert [(each["name"], each["since"][:19]) for each in found] == [
        (name, f"{now - timedelta(hours=hours):%Y-%m-%dT%H:%M:%S}")
        for name, hours in (("publishing-late", 3), ("schedules-held", 2))
    ]
    assert "secret" not in str(found)


def test_a_failing_receiver_concerns_its_partner_alone(stage: DeliveryStage) -> None:
    """The subscription's state is at `/v1/subscriptions`; the status leads there."""
    failed = after_failure(Progress("0", ""), Failure("no"), stage.clock(), 1.0, _DAY)
    made = Subscription("hook", "alder-fans", SubscriptionKind.WEBHOOK, "https://x.example", stage.clock())
    stage.store.subscriptions.create(made, failed)

    assert [each["name"] for each in _status(stage)["incidents"]] == ["subscription-failing"]
    assert _status(stage, "acme")["incidents"] == []


def test_without_the_store_incidents_are_unknown(
    stage: DeliveryStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is answered from memory."""

    def fail() -> None:
        raise ServiceError("the store does not answer")

    monkeypatch.setattr(stage.store.incidents, "latest", fail)

    assert (_status(stage)["state"], _status(stage)["incidents"]) == ("current", None)


def test_incidents_are_unknown_while_nothing_watches(stage: DeliveryStage) -> None:
    """A check that ended within two minutes knows of them, also if its notices failed; a check that failed, or none at
    all, does not, and an empty list would say that all is well.
    """
    found = [_status(stage)["incidents"]]
    stage.clock.advance(timedelta(minutes=2, seconds=1))
    found.append(_status(stage)["incidents"])
    _watch(stage, problem="the webhook does not answer")
    found.append(_status(stage)["incidents"])
    stage.clock.advance(timedelta(minutes=2, seconds=1))
    _watch(stage, problem="a defect", counts={})
    found.append(_status(stage)["incidents"])

    assert found == [[], None, [], None]
    assert _status(DeliveryStage(), "acme")["incidents"] is None
