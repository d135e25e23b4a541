"""The drill: a whole Redis is lost, and the export of its state brings back what no source has.

Redis, the delivery service, the pusher, the receiver of webhooks and the coldstart are real. The schedules are in
memory.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import httpx2
import orjson
import pytest
from cli_stage import FakeSession
from click.testing import CliRunner
from fakes import FakeClock, fake_upstreams
from redis import Redis
from workers import Server, build_everything, pipeline_on, write_item

from demo.delivery_service import DeliveryService, PushService
from demo.sample import make_sample
from demo.servers import RedisServer
from demo.webhook_receiver import WebhookReceiver
from schedules_pipeline.cli.main import main
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import utc_now
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.migration.ports import ServedSource, ServedState
from schedules_pipeline.partners.partner import RANDOM_BYTES, Partner, issue_key
from schedules_pipeline.publishing.ports.expectations import Expectation, ObservedDay
from schedules_pipeline.push.manage_subscriptions import SubscriptionAdmin
from schedules_pipeline.push.subscription import Subscription, SubscriptionKind
from schedules_pipeline.push.webhook_signature import derive_secret
from schedules_pipeline.settings import Settings

pytestmark = pytest.mark.end_to_end

_MASTER = "a master secret that is no secret at all"
_PATIENCE_SECONDS = 60.0


@dataclass
class Installation:
    """``put``: writes a schedule's document with so many of its broadcasts, and builds it. ``lose_everything``: the
    catalogue's items come back, because they are another system's.
    """

    redis: RedisServer
    pipeline: Pipeline
    keys: list[ScheduleKey]
    put: Callable[[ScheduleKey, int], None]
    lose_everything: Callable[[], None]

    def coldstart(self, name: str) -> None:
        self.pipeline.coldstarter.work_at(name, "worker", 0, lambda _: None)

    def run(self, *words: object) -> str:
        """The command line; it must succeed."""
        session = FakeSession(self.pipeline, Settings(), FakeClock())
        result = CliRunner().invoke(main, [str(word) for word in words], obj=session)
        assert result.exit_code == 0, result.output
        return result.output


@pytest.fixture
def installation(redis_executable: Path, tmp_path: Path) -> Iterator[Installation]:
    """Tomorrow's schedules are published."""
    with RedisServer(tmp_path / "redis", executable=redis_executable) as redis:
        server, source = Server(redis.url, is_cluster=False), fake_upstreams(FakeClock(), Random(0))
        sample = make_sample(utc_now().date() + timedelta(days=1), days=1, clock_change_days=False)
        documents = {ScheduleKey(Sid(sid), day): d for (sid, day), d in sample.schedules.items()}
        pipeline = pipeline_on(server, "schedules", source)

        def put(key: ScheduleKey, broadcasts: int) -> None:
            document = {**documents[key], "broadcasts": documents[key]["broadcasts"][:broadcasts]}
            source.schedule_source.put(key, orjson.dumps(document))
            build_everything(pipeline, [key])

        def lose_everything() -> None:
            with Redis.from_url(redis.url) as client:
                client.flushall()
            server.link().run([write_item(document) for document in sample.catalogue.values()])

        for key, document in documents.items():
            source.schedule_source.put(key, orjson.dumps(document))
        lose_everything()
        made = Installation(redis, pipeline, list(documents), put, lose_everything)
        made.coldstart("old")
        yield made


def _wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not is_true():
        assert time.monotonic() < deadline, f"nothing came of it within {_PATIENCE_SECONDS} s"
        time.sleep(0.1)


def _decide(pipeline: Pipeline, target: str) -> tuple[str, Subscription]:
    """What operators decide: a partner, its webhook with a rotated secret, the switch, and learned ranges."""
    store, now = pipeline.store, utc_now()
    issued = issue_key(bytes(RANDOM_BYTES), now)
    store.partners.create(Partner("acme", now, keys=(issued.key,)))
    store.served.change(ServedState(1, ServedSource.OURS, now, "ada", "ready", 1.0, forced=False))
    admin = SubscriptionAdmin(store, pipeline.clock)
    admin.register(Subscription("acme-webhook", "acme", SubscriptionKind.WEBHOOK, target, now))
    rotated = admin.rotate("acme-webhook")
    assert rotated is not None
    store.expectations.keep({Sid("alder_one"): Expectation(now, (ObservedDay(now.date(), {}),), {}, {})})
    return issued.text, rotated.subscription


def test_an_empty_redis_is_restored_from_an_export(installation: Installation, tmp_path: Path) -> None:
    """Partners read with their keys, webhooks verify, cursors are told of the new epoch, and a hold holds."""
    pipeline, held = installation.pipeline, installation.keys[0]
    store = pipeline.store
    environment = {
        "SCHEDULES_REDIS_URL": installation.redis.url,
        "SCHEDULES_WEBHOOK_MASTER_SECRET": _MASTER,
        "SCHEDULES_PUSH_ALLOWED_NETWORKS": '["127.0.0.1"]',
    }
    with WebhookReceiver(lambda: datetime.now(UTC)) as receiver:
        key, webhook = _decide(pipeline, receiver.url)
        receiver.trust(derive_secret(_MASTER.encode(), webhook, 2))
        installation.put(held, 1)
        before, switches, expectations = (
            store.schedules.documents([held])[held],
            store.served.switches(),
            store.expectations.all(),
        )
        assert held in store.losses.holds()
        installation.run("state", "export", "-o", tmp_path / "state.json")
        with DeliveryService(tmp_path / "d1", environment) as service:
            _wait_until(lambda: service.admits(key))
            cursor = _get(service, key, "/v1/digest").json()["cursor"]

        installation.lose_everything()
        installation.run("state", "import", tmp_path / "state.json")
        installation.coldstart("new")

        _assert_partners_are_served(tmp_path, environment, key, cursor, receiver)
    assert store.losses.holds()[held].id == str(held)
    assert _broadcasts(store.schedules.documents([held])[held]) == _broadcasts(before)
    assert (store.served.switches(), store.expectations.all()) == (switches, expectations)


def _assert_partners_are_served(
    directory: Path, environment: dict[str, str], key: str, cursor: str, receiver: WebhookReceiver
) -> None:
    """The key is valid, the cursor of the old epoch is gone, and the webhook is told so, under its secret."""
    received: list[str] = []

    def has_received() -> bool:
        received.extend(event.kind for event in receiver.drain())
        return bool(received)

    with DeliveryService(directory / "d2", environment) as service, PushService(directory / "p", environment):
        _wait_until(lambda: service.admits(key))
        assert _get(service, key, "/v1/changes", since=cursor).status_code == 410
        _wait_until(has_received)
    assert "reset" in received[0]


def _broadcasts(document: bytes) -> object:
    return orjson.loads(document)["broadcasts"]


def _get(service: DeliveryService, key: str, path: str, **query: str) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx2.get(f"{service.url}{path}", params=query, headers=headers, timeout=_PATIENCE_SECONDS)
