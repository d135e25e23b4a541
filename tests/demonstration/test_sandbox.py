"""The sandbox: what a developer reads with the published key, and how its days move on."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from demo.console import utc_now
from demo.replay.world import World, settings_for
from demo.sandbox import KEY, NAME, WEBHOOK, Broadcaster, enter_everybody, subscribe
from demo.servers import RedisServer
from demo.webhook_receiver import WebhookReceiver
from schedules_pipeline.delivery.__main__ import build_delivery
from schedules_pipeline.delivery.application import build_application
from schedules_pipeline.delivery.follower import Follower
from schedules_pipeline.delivery.running import upkeep_of
from schedules_pipeline.maintenance.continuity import ContinuityObserver
from schedules_pipeline.push.__main__ import build_pusher
from schedules_pipeline.settings import Settings

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_DAYS = 3
_MASTER = b"a master secret that is no secret at all"


class _Sandbox:
    def __init__(self, redis_url: str) -> None:
        settings = settings_for(redis_url, NAME).model_copy(update={"retention_days": 7})
        self.world = World(redis_url, settings)
        self.store = self.world.pipeline.store
        self.broadcaster = Broadcaster(self.world, Random(1), _DAYS)
        self.world.clock.now = _NOW
        self.store.coldstarts.begin_epoch("sandbox")
        enter_everybody(self.store.partners, _NOW)
        delivery = build_delivery(self.store, settings, self.world.clock)
        self.upkeep = upkeep_of(delivery)
        observer = ContinuityObserver(self.store.continuity, "a test", self.world.clock)
        self.follower = Follower(
            self.store.feed, self.store.schedules, observer, delivery.apply, self.world.clock
        )
        self.client = TestClient(build_application(delivery), headers={"Authorization": f"Bearer {KEY}"})

    def step(self, *instants: datetime) -> None:
        for now in instants:
            self.broadcaster.step(now)
        self.upkeep()
        for _ in range(3):
            self.follower.follow(wait_seconds=0)

    def days(self) -> set[date]:
        """With a published schedule."""
        services = self.client.get("/v1/digest").json()["services"].values()
        return {date.fromisoformat(day["date"]) for days in services for day in days if not day["removed"]}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Sandbox]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        sandbox = _Sandbox(server.url)
        sandbox.step(_NOW)
        yield sandbox


def test_a_developer_reads_and_follows_with_the_published_key(sandbox: _Sandbox) -> None:
    """Services, a schedule, a player's file without any key, and changes that come by themselves."""
    client = sandbox.client
    sid = client.get("/v1/services").json()["services"][0]["sid"]
    cursor = client.get("/v1/status").json()["cursor"]

    assert client.get(f"/v1/schedules/{sid}/{_NOW.date()}").status_code == 200
    assert client.get("/players/sandbox/guide.xml", headers={"Authorization": ""}).status_code == 200
    sandbox.step(*(_NOW + timedelta(minutes=minute) for minute in range(1, 11)))
    changes = client.get(f"/v1/changes?since={cursor}").json()["changes"]
    assert changes
    assert all(client.get(change["href"]).status_code == 200 for change in changes if not change["removed"])


def test_the_days_move_on(sandbox: _Sandbox) -> None:
    """Days come into sight, and those of more than a week ago are removed."""
    later = _NOW + timedelta(days=9)
    sandbox.step(later)

    assert sandbox.days() == {later.date() - timedelta(days=days) for days in range(_DAYS)}


def test_a_webhook_is_sent_where_the_sandbox_was_told(sandbox: _Sandbox) -> None:
    """Signed with the secret that it prints; with the published key a developer pings the receiver and sees what it
    answered.
    """
    settings = Settings(
        webhook_master_secret=SecretStr(_MASTER.decode()), push_allowed_networks=("127.0.0.1",)
    )
    with WebhookReceiver(utc_now) as receiver:
        receiver.trust(subscribe(sandbox.store, receiver.url, _MASTER))
        asked = sandbox.client.post(f"/v1/subscriptions/{WEBHOOK}/ping")
        build_pusher(settings, sandbox.store).push(WEBHOOK, lambda: False)
        found = sandbox.client.get(f"/v1/subscriptions/{WEBHOOK}").json()
        received = receiver.drain()

    assert asked.status_code == 200
    assert [each.kind for each in received] == ["subscription.ping"]
    assert [answer["status"] for answer in found["answers"]] == [204]
