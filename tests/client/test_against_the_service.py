"""The client library against the delivery service as a process of its own, on a real Redis, over connections that break
and through restarts.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from threading import Event, Thread

import pytest
from fakes import FakeClock, fake_upstreams
from forwarder import Forwarder
from redis import Redis
from schedules_client import AsyncClient, Client, LocalCopy
from workers import Server, build_everything, load_sample, pipeline_on

from demo.delivery_service import DeliveryService
from demo.servers import LOOPBACK, RedisServer
from docs.site.pages import REPOSITORY
from schedules_pipeline.partners.partner import RANDOM_BYTES, Partner, issue_key
from schedules_pipeline.store.keys import Keys

pytestmark = pytest.mark.end_to_end

_PATIENCE_SECONDS = 60.0


class World:
    """A day of the invented broadcaster, published, and a partner that may read it before the switch."""

    def __init__(self, redis: RedisServer, directory: Path) -> None:
        self._redis_url = redis.url
        server, self._source = Server(redis.url, is_cluster=False), fake_upstreams(FakeClock(), Random(0))
        self.schedules = load_sample(server, self._source)[1]
        self._pipeline = pipeline_on(server, "schedules", self._source)
        build_everything(self._pipeline, self.schedules)
        self._pipeline.store.coldstarts.begin_epoch("first")
        now = datetime.now(UTC)
        issued = issue_key(os.urandom(RANDOM_BYTES), now)
        partner = Partner("acme", now, is_preview=True, requests_per_minute=60_000, keys=(issued.key,))
        assert self._pipeline.store.partners.create(partner)
        self.key = issued.text
        self.service = DeliveryService(directory / "delivery", {"SCHEDULES_REDIS_URL": redis.url})

    def change(self, *numbers: int) -> None:
        """These schedules lose their last broadcast."""
        changed = [self.schedules[number] for number in numbers]
        for schedule in changed:
            document = json.loads(self._source.schedule_source.objects[schedule].content)
            document["broadcasts"].pop()
            document["published_at"] = datetime.now(UTC).isoformat()
            self._source.schedule_source.put(schedule, json.dumps(document).encode())
        build_everything(self._pipeline, changed)

    def lose_the_feed(self) -> None:
        with Redis.from_url(self._redis_url) as redis:
            redis.hset(Keys("schedules").coldstart("epoch"), "id", "another")

    def restart_the_service(self) -> None:
        os.kill(self.service.pid, signal.SIGKILL)
        wait_until(lambda: self.service.exit_status is not None)
        self.service.launch_again()

    def published(self) -> dict[tuple[str, str], dict[str, object]]:
        documents = self._pipeline.store.schedules.documents(self.schedules)
        return {(key.sid, key.date.isoformat()): json.loads(text) for key, text in documents.items()}

    def is_held_by(self, path: Path) -> bool:
        published = self.published()
        with closing(LocalCopy(path)) as copy:
            held = copy.store.load("").held
            if {key: one.version.etag for key, one in held.items()} != {
                key: one["etag"] for key, one in published.items()
            }:
                return False
            return {(one["sid"], one["date"]): one for one in copy.store.documents()} == published


def wait_until(is_true: Callable[[], bool]) -> None:
    """Ask again: the events happen in other processes."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.fixture
def world(redis_executable: Path, tmp_path: Path) -> Iterator[World]:
    with RedisServer(tmp_path / "redis", executable=redis_executable) as redis:
        world = World(redis, tmp_path)
        with world.service as service:
            wait_until(lambda: service.admits(world.key))
            yield world


@pytest.fixture
def line(world: World) -> Iterator[Forwarder]:
    """What the partner takes for the service."""
    with Forwarder(world.service.port) as line:
        yield line


def _address(line: Forwarder) -> str:
    return f"http://{LOOPBACK}:{line.port}"


@contextmanager
def _following(client: Client, change: Callable[[], None]) -> Iterator[None]:
    """In a thread for as long as the block; ``change`` lets it notice the end."""
    ended = Event()

    def follow() -> None:
        for _ in client.follow():
            if ended.is_set():
                return

    thread = Thread(target=follow)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        change()
        thread.join(_PATIENCE_SECONDS)


def test_sync_and_async_clients_hold_what_is_published(world: World, line: Forwarder, tmp_path: Path) -> None:
    """Both follow the stream; their connections are cut twice, and the service begins a new feed."""
    paths = [tmp_path / "sync.db", tmp_path / "async.db"]

    async def follow() -> None:
        async with AsyncClient(paths[1], url=_address(line), key=world.key) as client:
            following = asyncio.ensure_future(_follow(client))
            await asyncio.to_thread(happen)
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following

    async def _follow(client: AsyncClient) -> None:
        async for change in client.follow():
            assert client.schedule(change.sid, change.date)

    def happen() -> None:
        for number in range(2):
            wait_until(lambda: all(path.exists() and world.is_held_by(path) for path in paths))
            line.cut()
            world.change(number, number + 10)
            if number:
                world.lose_the_feed()
        wait_until(lambda: all(world.is_held_by(path) for path in paths))

    with (
        Client(paths[0], url=_address(line), key=world.key) as client,
        _following(client, lambda: world.change(20)),
    ):
        asyncio.run(follow())


@pytest.mark.long
def test_the_command_survives_deaths_of_both_sides(world: World, line: Forwarder, tmp_path: Path) -> None:
    """It is killed at any moment of its first copy and of following, and so is the service: it ends equal."""
    path, random = tmp_path / "schedules.db", Random(1)
    command = [sys.executable, "-m", "schedules_client", "--store", str(path), "follow"]
    environment = os.environ | {
        "SCHEDULES_DELIVERY_URL": _address(line),
        "SCHEDULES_API_KEY": world.key,
        "PYTHONPATH": str(REPOSITORY / "clients/python/src"),
    }
    for number in range(12):
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            world.change(number, number + 1, number + 2)
            time.sleep(random.uniform(0.2, 1.5))
            if number == 6:
                world.restart_the_service()
            process.kill()
            assert process.stderr
            assert world.key.encode() not in process.stderr.read()
    with ExitStack() as stack:
        process = stack.enter_context(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL))
        stack.callback(process.kill)
        wait_until(lambda: world.is_held_by(path))
