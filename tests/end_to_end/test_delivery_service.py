"""The delivery service as a process of its own on a real Redis, while the world around it changes, and fails."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx2
import pytest
from browser import Browser, find_chromium
from fakes import FakeClock, FakeUpstreams, fake_upstreams
from redis import Redis
from workers import Server, build_everything, load_sample, pipeline_on

from demo.delivery_service import DeliveryService
from demo.partner_side import guide_address
from demo.servers import RedisServer
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.partners.partner import RANDOM_BYTES, Partner, issue_key
from schedules_pipeline.partners.ports import UsageKind, UsageLine

pytestmark = pytest.mark.end_to_end

_PATIENCE_SECONDS = 60.0
_SUBSCRIBERS = 200


@dataclass
class Broadcaster:
    """The published schedules, their publisher, and their readers. ``key`` belongs to a partner that may see every
    service.
    """

    redis: RedisServer
    source: FakeUpstreams
    pipeline: Pipeline
    schedules: list[ScheduleKey]
    documents: dict[ScheduleKey, bytes] = field(default_factory=dict)
    key: str = ""

    def publish_again(self, schedule: ScheduleKey) -> None:
        """Without its last broadcast."""
        document = json.loads(self.source.schedule_source.objects[schedule].content)
        document["broadcasts"].pop()
        document["published_at"] = datetime.now(UTC).isoformat()
        self.source.schedule_source.put(schedule, json.dumps(document).encode())
        build_everything(self.pipeline, [schedule])

    def document(self, schedule: ScheduleKey) -> bytes:
        """As it stands in the store now."""
        return self.pipeline.store.schedules.documents([schedule])[schedule]


@pytest.fixture(scope="module")
def broadcaster(redis_executable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broadcaster]:
    """One day of the sample, published, and a partner on trial. Tests that do no harm to it share it."""
    with RedisServer(tmp_path_factory.mktemp("redis"), executable=redis_executable) as redis:
        yield _published(redis)


@pytest.fixture
def own_redis(redis_executable: Path, tmp_path: Path) -> Iterator[tuple[RedisServer, ExitStack]]:
    """A server of this test's own, and what stops it."""
    with ExitStack() as stack:
        yield stack.enter_context(RedisServer(tmp_path / "redis", executable=redis_executable)), stack


@pytest.fixture
def own_broadcaster(own_redis: tuple[RedisServer, ExitStack]) -> Broadcaster:
    """The same for this test alone."""
    return _published(own_redis[0])


def _published(redis: RedisServer) -> Broadcaster:
    _publish_all(made := _broadcaster(redis))
    made.key = _enter_partner(made.pipeline)
    return made


def _broadcaster(redis: RedisServer) -> Broadcaster:
    server, source = Server(redis.url, is_cluster=False), fake_upstreams(FakeClock(), Random(0))
    schedules = load_sample(server, source)[1]
    return Broadcaster(redis, source, pipeline_on(server, "schedules", source), schedules)


def _publish_all(broadcaster: Broadcaster, epoch: str = "first") -> None:
    build_everything(broadcaster.pipeline, broadcaster.schedules)
    broadcaster.pipeline.store.coldstarts.begin_epoch(epoch)
    broadcaster.documents = broadcaster.pipeline.store.schedules.documents(broadcaster.schedules)


def _enter_partner(pipeline: Pipeline, name: str = "acme") -> str:
    now = datetime.now(UTC)
    issued = issue_key(os.urandom(RANDOM_BYTES), now)
    partner = Partner(name, now, is_preview=True, waiting_at_once=_SUBSCRIBERS, keys=(issued.key,))
    assert pipeline.store.partners.create(partner)
    return issued.text


def _service(redis: RedisServer, directory: Path, **settings: str) -> DeliveryService:
    environment = {"SCHEDULES_REDIS_URL": redis.url, "SCHEDULES_DELIVERY_MARKED_STALE_SECONDS": "5"}
    return DeliveryService(directory / "delivery", environment | settings)


@pytest.fixture(scope="module")
def service(broadcaster: Broadcaster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeliveryService]:
    """It has read everything, and knows its partner."""
    with _started(broadcaster, tmp_path_factory.mktemp("shared")) as service:
        yield service


@pytest.fixture(scope="module")
def client(service: DeliveryService, broadcaster: Broadcaster) -> Iterator[httpx2.Client]:
    """The partner."""
    with _partner(service, broadcaster.key) as client:
        yield client


@pytest.fixture
def own_service(own_broadcaster: Broadcaster, tmp_path: Path) -> Iterator[DeliveryService]:
    with _started(own_broadcaster, tmp_path) as service:
        yield service


@pytest.fixture
def own_client(own_service: DeliveryService, own_broadcaster: Broadcaster) -> Iterator[httpx2.Client]:
    with _partner(own_service, own_broadcaster.key) as client:
        yield client


@contextmanager
def _started(broadcaster: Broadcaster, directory: Path, **settings: str) -> Iterator[DeliveryService]:
    with _service(broadcaster.redis, directory, **settings) as service:
        _wait_until(lambda: service.admits(broadcaster.key))
        yield service


def _partner(service: DeliveryService, key: str) -> httpx2.Client:
    return _stranger(service, Authorization=f"Bearer {key}")


def _stranger(service: DeliveryService, **headers: str) -> httpx2.Client:
    return httpx2.Client(base_url=service.url, headers=headers, timeout=_PATIENCE_SECONDS, trust_env=False)


def _wait_until(is_true: Callable[[], bool]) -> None:
    """Look again until it is true; the events come from a process that cannot call us."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not is_true():
        assert time.monotonic() < deadline, f"nothing came of it within {_PATIENCE_SECONDS} s"
        time.sleep(0.05)


@contextmanager
def _stream(client: httpx2.Client) -> Iterator[Iterator[str]]:
    """The lines of the feed from now on, once it is known that the service streams."""
    with client.stream("GET", "/v1/changes/stream") as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        lines = response.iter_lines()
        assert next(line for line in lines if line.startswith("id: "))
        yield lines


def _next_change(lines: Iterator[str]) -> dict[str, Any]:
    data = next(line for line in lines if line.startswith("data: "))
    change: dict[str, Any] = json.loads(data.removeprefix("data: "))
    return change


def test_a_schedule_is_served_as_it_is_stored(broadcaster: Broadcaster, client: httpx2.Client) -> None:
    """Each schedule is served byte for byte under the hash in it; a request with that hash gets 304."""
    for schedule in broadcaster.schedules:
        document = broadcaster.document(schedule)
        answer = client.get(f"/v1/schedules/{schedule}")
        again = client.get(f"/v1/schedules/{schedule}", headers={"If-None-Match": answer.headers["ETag"]})
        assert answer.content == document
        assert json.loads(document)["etag"] in answer.headers["ETag"]
        assert (again.status_code, again.content) == (304, b"")


def test_only_health_needs_no_key(broadcaster: Broadcaster, service: DeliveryService) -> None:
    """A schedule asks for a key, and health does not."""
    with _stranger(service) as stranger:
        assert stranger.get(f"/v1/schedules/{broadcaster.schedules[0]}").status_code == 401
        assert stranger.get("/health/ready").status_code == 200


def test_the_feed_streams_a_publication_as_it_happens(
    broadcaster: Broadcaster, client: httpx2.Client
) -> None:
    """Who streams hears of it without asking, and by then the new document is served."""
    changed = broadcaster.schedules[3]

    with _stream(client) as lines:
        broadcaster.publish_again(changed)
        change = _next_change(lines)

    assert (f"{change['sid']}/{change['date']}", change["seq"]) == (str(changed), 2)
    assert client.get(change["href"]).content == broadcaster.document(changed)


def test_what_is_held_is_served_while_redis_is_away(
    own_broadcaster: Broadcaster,
    own_service: DeliveryService,
    own_client: httpx2.Client,
    own_redis: tuple[RedisServer, ExitStack],
    redis_executable: Path,
    tmp_path: Path,
) -> None:
    """Every document goes on being served, marked as stale after a while; when Redis is back it is fresh again."""
    own_redis[1].close()
    _wait_until(lambda: _is_stale(own_client))

    served = {s: own_client.get(f"/v1/schedules/{s}").content for s in own_broadcaster.schedules}

    assert served == own_broadcaster.documents
    assert own_client.get("/health/ready").json()["stale"] is True
    with RedisServer(
        tmp_path / "again", port=own_broadcaster.redis.port, executable=redis_executable
    ) as redis:
        _publish_all(_broadcaster(redis), "second")
        _wait_until(lambda: not _is_stale(own_client))
    assert own_service.exit_status is None


def _is_stale(client: httpx2.Client) -> bool:
    return client.get("/v1/services").headers.get("Schedules-Stale") == "?1"


def test_a_process_that_starts_without_redis_is_ready_when_redis_is(
    own_redis: tuple[RedisServer, ExitStack], redis_executable: Path, tmp_path: Path
) -> None:
    """Before that the service is alive and answers 503 with a time to retry; it needs no restart."""
    redis, stop_redis = own_redis
    stop_redis.close()

    with _service(redis, tmp_path) as service, _partner(service, "sk_aaaaaaaa_" + "a" * 40) as client:
        assert client.get("/health/live").status_code == 200
        assert client.get("/health/ready").status_code == 503
        rejected = client.get("/v1/services")
        with RedisServer(tmp_path / "again", port=redis.port, executable=redis_executable) as again:
            broadcaster = _broadcaster(again)
            _publish_all(broadcaster)
            broadcaster.key = _enter_partner(broadcaster.pipeline)
            _wait_until(lambda: client.get("/health/ready").status_code == 200)
            _wait_until(lambda: service.admits(broadcaster.key))

    assert rejected.status_code == 503
    assert int(rejected.headers["Retry-After"]) > 0


def test_partners_keep_what_they_had_when_redis_is_emptied(
    own_broadcaster: Broadcaster, own_client: httpx2.Client
) -> None:
    """The service keeps its schedules and partners, and follows the rebuilt keyspace."""
    with Redis.from_url(own_broadcaster.redis.url) as redis:
        redis.flushall()
    _wait_until(lambda: _is_stale(own_client))

    kept = {s: own_client.get(f"/v1/schedules/{s}").content for s in own_broadcaster.schedules}

    assert kept == own_broadcaster.documents
    rebuilt = _broadcaster(own_broadcaster.redis)
    _publish_all(rebuilt, "second")
    _wait_until(lambda: not _is_stale(own_client))
    assert {s: own_client.get(f"/v1/schedules/{s}").content for s in rebuilt.schedules} == rebuilt.documents


def test_a_revoked_key_stops_working(broadcaster: Broadcaster, service: DeliveryService) -> None:
    """Without a restart, and for requests of any kind, also in an address, where no log has it."""
    partners, key = broadcaster.pipeline.store.partners, _enter_partner(broadcaster.pipeline, "bygone")
    _wait_until(lambda: service.admits(key))
    address = f"/dvb-i/{key}/services.xml"
    with _partner(service, key) as client:
        statuses = [client.get(path).status_code for path in ("/v1/services", address, f"{address}/none")]
        assert statuses == [200, 200, 404]
        assert client.get(address, headers={"Host": "not a host"}).status_code == 400

        [partner] = [partner for partner in partners.all() if partner.name == "bygone"]
        partners.change(partner, replace(partner, keys=()))

        _wait_until(lambda: client.get("/v1/services").status_code == 401)
        assert client.get("/v1/changes/stream").status_code == client.get(address).status_code == 401
    assert key not in service.log_path.read_text()


def test_a_service_that_is_told_to_stop_ends_its_streams_and_stores_what_was_used(
    own_broadcaster: Broadcaster, own_service: DeliveryService, own_client: httpx2.Client
) -> None:
    """The service ends although readers still listen, and the partner's usage counts every request."""

    def used_of(route: str) -> int:
        totals = own_broadcaster.pipeline.store.partners.usage_totals()
        return totals[UsageLine("acme", UsageKind.REQUESTS, route, "200")]

    with _stream(own_client) as lines:
        for _ in range(7):
            assert own_client.get("/v1/digest").status_code == 200

        os.kill(own_service.pid, signal.SIGTERM)

        with suppress(httpx2.TransportError):
            assert all(not line.startswith("data: ") for line in lines)
    _wait_until(lambda: own_service.exit_status is not None)
    assert own_service.exit_status in (0, -signal.SIGTERM)
    assert used_of("/v1/digest") == 7
    assert used_of("/v1/changes/stream") == 1


def test_the_scheme_is_taken_from_a_proxy_that_is_trusted(
    broadcaster: Broadcaster, service: DeliveryService, tmp_path: Path
) -> None:
    """The guide's cookie is for TLS alone only if a named load balancer says that the request used TLS."""
    settings = {"SCHEDULES_DELIVERY_TRUSTED_PROXIES": '["127.0.0.0/8"]'}

    with _started(broadcaster, tmp_path, **settings) as trusting:
        assert "Secure" in _cookie_over_tls(trusting, broadcaster.key)
    assert "Secure" not in _cookie_over_tls(service, broadcaster.key)


def _cookie_over_tls(service: DeliveryService, key: str) -> str:
    """The cookie of a reader who signs in with a key, and whose proxy names TLS."""
    with _stranger(service, **{"X-Forwarded-Proto": "https"}) as reader:
        signed_in = reader.post("/sign-in", data={"key": key})
    assert signed_in.status_code == 303
    return signed_in.headers["Set-Cookie"]


def test_many_who_wait_all_hear_of_one_change(broadcaster: Broadcaster, service: DeliveryService) -> None:
    """Two hundred streams of one partner, none of which had to ask for it."""
    changed = broadcaster.schedules[0]

    heard = asyncio.run(_hear(service, broadcaster.key, lambda: broadcaster.publish_again(changed)))

    assert len(heard) == _SUBSCRIBERS
    assert {(f"{change['sid']}/{change['date']}", change["seq"]) for change in heard} == {(str(changed), 2)}


async def _hear(service: DeliveryService, key: str, publish: Callable[[], None]) -> list[dict[str, Any]]:
    """The first event of each of many streams, for a publication made while all of them are open."""
    streaming, left = asyncio.Event(), [_SUBSCRIBERS]
    limits = httpx2.Limits(max_connections=None)
    headers = {"Authorization": f"Bearer {key}"}

    async def hear(client: httpx2.AsyncClient) -> dict[str, Any]:
        async with client.stream("GET", "/v1/changes/stream", headers=headers) as response:
            async for line in response.aiter_lines():
                if line.startswith("retry: "):
                    left[0] -= 1
                    if not left[0]:
                        streaming.set()
                if line.startswith("data: "):
                    change: dict[str, Any] = json.loads(line.removeprefix("data: "))
                    return change
        raise AssertionError("the stream ended before anything was heard")

    async with httpx2.AsyncClient(
        base_url=service.url, limits=limits, timeout=_PATIENCE_SECONDS, trust_env=False
    ) as client:
        listening = [asyncio.ensure_future(hear(client)) for _ in range(_SUBSCRIBERS)]
        await asyncio.wait_for(streaming.wait(), _PATIENCE_SECONDS)
        await asyncio.to_thread(publish)
        return await asyncio.gather(*listening)


def test_a_page_that_was_opened_too_early_fills_by_itself(
    own_redis: tuple[RedisServer, ExitStack], tmp_path: Path
) -> None:
    """Who looks before anything is published sees all of it come, without doing anything."""
    broadcaster = _broadcaster(own_redis[0])
    key = _enter_partner(broadcaster.pipeline)
    listed, day = "document.querySelectorAll('#grid .row[data-sid]').length", broadcaster.schedules[0].date
    services = len({schedule.sid for schedule in broadcaster.schedules})

    with (
        _service(broadcaster.redis, tmp_path) as service,
        Browser(find_chromium(), tmp_path / "browser") as browser,
        browser.tab() as tab,
    ):
        _wait_until(lambda: service.admits(key))
        tab.go(guide_address(service.url, broadcaster.pipeline.store.sign_ins, datetime.now(UTC), "acme"))
        tab.wait_until("location.pathname == '/guide'")
        tab.go(f"{service.url}/guide?date={day}")
        tab.wait_until("document.getElementById('state')?.dataset.state == 'live'")
        before = tab.evaluate(listed)
        _publish_all(broadcaster)
        tab.wait_until(f"document.readyState == 'complete' && {listed} == {services}")

    assert before == 0
    assert services > 10
