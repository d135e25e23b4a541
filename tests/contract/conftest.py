"""The store that every contract test is run on: the fakes, one Redis, and a Redis Cluster of three masters."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from fakes import FakeClock, fake_store
from redis import Redis
from redis.cluster import RedisCluster

from schedules_pipeline.adapters.redis.link import Client, RedisLink, connect
from schedules_pipeline.composition import Store, redis_store
from schedules_pipeline.local.servers import LOOPBACK, RedisServer, find_free_port

_MASTERS = 3
_SLOTS = 16_384
_CLUSTER_UP_WITHIN_SECONDS = 30.0

PassTime = Callable[[timedelta], None]


@dataclass(frozen=True, slots=True)
class StoreUnderTest:
    store: Store
    pass_time: PassTime


@pytest.fixture(scope="session")
def keyspaces() -> Iterator[str]:
    """Names of keyspaces that nobody has used in this run."""
    return (f"contract{number}" for number in itertools.count(1))


@pytest.fixture(scope="session")
def redis_link_client(redis_server: RedisServer) -> Iterator[Client]:
    """A client of the run's own Redis server, made as the real ones are."""
    with connect(redis_server.url) as client:
        yield client


@pytest.fixture(scope="session")
def cluster_link_client(
    redis_executable: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RedisCluster]:
    """A client of a Redis Cluster of this run's own: three masters, no replicas."""
    with ExitStack() as stack:
        servers = []
        for _ in range(_MASTERS):
            bus = find_free_port()
            arguments = [
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                str(bus),
                "--cluster-node-timeout",
                "5000",
            ]
            directory = tmp_path_factory.mktemp("cluster")
            server = RedisServer(directory, executable=redis_executable, extra_arguments=arguments)
            servers.append((stack.enter_context(server), bus))
        _join([(server.url, server.port, bus) for server, bus in servers])
        client = connect(servers[0][0].url, cluster=True)
        assert isinstance(client, RedisCluster)
        yield stack.enter_context(client)


@pytest.fixture(
    params=[
        "fakes",
        "redis",
        pytest.param("cluster", marks=[pytest.mark.cluster, pytest.mark.xdist_group("cluster")]),
    ]
)
def under_test(request: pytest.FixtureRequest, keyspaces: Iterator[str]) -> StoreUnderTest:
    """An empty store of each kind, and what makes time pass in it."""
    if request.param == "fakes":
        clock = FakeClock()
        return StoreUnderTest(fake_store(clock).as_store(), clock.advance)
    client: Client = request.getfixturevalue(f"{request.param}_link_client")
    store = redis_store(RedisLink(client), keyspace := next(keyspaces))
    return StoreUnderTest(store, lambda by: _pass_time(client, keyspace, by))


@pytest.fixture
def store(under_test: StoreUnderTest) -> Store:
    return under_test.store


@pytest.fixture
def pass_time(under_test: StoreUnderTest) -> PassTime:
    """Makes everything in the store as if so much time had passed: what expires, and what is idle."""
    return under_test.pass_time


def _pass_time(client: Any, keyspace: str, by: timedelta) -> None:
    """A server's clock cannot be turned, so what is to run out is made to run out sooner."""
    milliseconds = int(by.total_seconds() * 1000)
    for key in client.scan_iter(match=f"{keyspace}:*", count=1000):
        left = client.pttl(key)
        if left > 0:
            client.pexpire(key, left - milliseconds)
    changes = f"{keyspace}:{{feed}}:changes"
    if client.exists(changes):
        for taken in client.xpending_range(changes, "dagster", "-", "+", 1000):
            idle = taken["time_since_delivered"] + milliseconds
            client.xclaim(
                changes, "dagster", taken["consumer"], 0, [taken["message_id"]], idle=idle, justid=True
            )


def _join(nodes: list[tuple[str, int, int]]) -> None:
    """Make one cluster of empty servers, given by address, port and cluster port."""
    with ExitStack() as stack:
        clients = [stack.enter_context(Redis.from_url(url)) for url, _, _ in nodes]
        for i, client in enumerate(clients):
            first, last = i * _SLOTS // _MASTERS, (i + 1) * _SLOTS // _MASTERS - 1
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
        for _, port, bus in nodes[1:]:
            clients[0].execute_command("CLUSTER", "MEET", LOOPBACK, port, bus)
        _wait_until_whole(clients)


def _is_whole(client: Redis) -> bool:
    return b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO")  # type: ignore[no-untyped-call]


def _wait_until_whole(clients: list[Redis]) -> None:
    deadline = time.monotonic() + _CLUSTER_UP_WITHIN_SECONDS
    while not all(_is_whole(client) for client in clients):
        assert time.monotonic() < deadline, "the cluster did not come up"
        # There is no event to wait for: the nodes tell each other by gossip.
        time.sleep(0.05)
