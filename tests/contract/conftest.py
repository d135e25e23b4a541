"""The store that every contract test is run on: the fakes, one Redis, the same as the restricted user of an operator,
and a Redis Cluster of three masters; and with the back-references elsewhere: the fakes again, and one Redis
beside a DynamoDB table on the emulator.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from fakes import FakeClock, fake_store
from fakes_external_index import fake_store_with_external_index
from redis import Redis
from redis_users import grant, url_as

from demo.redis_cluster import Cluster
from demo.servers import RedisServer
from schedules_pipeline.composition import Store
from schedules_pipeline.connections import redis_store, utc_now, with_external_index
from schedules_pipeline.store.dynamodb import DynamoReferenceIndex
from schedules_pipeline.store.link import Client, RedisLink, connect

PassTime = Callable[[timedelta], None]


@dataclass(frozen=True, slots=True)
class StoreUnderTest:
    store: Store
    pass_time: PassTime
    now: Callable[[], datetime] = utc_now


@pytest.fixture(scope="session")
def keyspaces() -> Iterator[str]:
    """Keyspace names that are unused in this run."""
    return (f"contract{number}" for number in itertools.count(1))


@pytest.fixture(scope="session")
def redis_link_client(redis_server: RedisServer) -> Iterator[Client]:
    """A client of the run's own Redis server, made as the real ones are."""
    with connect(redis_server.url) as client:
        yield client


@pytest.fixture(scope="session")
def operator_link_client(redis_server: RedisServer) -> Iterator[Client]:
    """A client of the same server, as the user that ``deploy/redis/users.acl`` gives to operators."""
    with Redis.from_url(redis_server.url) as client:
        grant(client, ["operator"])
    with connect(url_as("operator", redis_server.url)) as client:
        yield client


@pytest.fixture(scope="session")
def cluster_link_client(cluster: Cluster) -> Iterator[Client]:
    """A client of the run's own Redis Cluster, made as the real ones are."""
    with connect(cluster.url, cluster=True) as client:
        yield client


@pytest.fixture(
    params=[
        "fakes",
        "redis",
        "redis as a user",
        pytest.param("cluster", marks=[pytest.mark.cluster, pytest.mark.xdist_group("cluster")]),
        "fakes beside an index",
        "dynamodb",
    ]
)
def under_test(request: pytest.FixtureRequest, keyspaces: Iterator[str]) -> StoreUnderTest:
    """An empty store of each kind, and what makes time pass in it."""
    if request.param == "fakes":
        clock = FakeClock()
        return StoreUnderTest(fake_store(clock).as_store(), clock.advance, clock)
    if request.param == "fakes beside an index":
        clock = FakeClock()
        return StoreUnderTest(fake_store_with_external_index(clock).as_store(), clock.advance, clock)
    if request.param == "dynamodb":
        return _beside_dynamodb(request, next(keyspaces))
    if request.param == "redis as a user":
        return _as_a_user(request, f"schedules-{next(keyspaces)}")
    client: Client = request.getfixturevalue(f"{request.param}_link_client")
    store = redis_store(RedisLink(client), keyspace := next(keyspaces))
    return StoreUnderTest(store, lambda by: _pass_time(client, keyspace, by))


def _as_a_user(request: pytest.FixtureRequest, keyspace: str) -> StoreUnderTest:
    """An administrator makes time pass, because the operator's user may not."""
    restricted: Client = request.getfixturevalue("operator_link_client")
    client: Client = request.getfixturevalue("redis_link_client")
    assert isinstance(client, Redis)
    grant(client, ["operator"], keyspace)
    store = redis_store(RedisLink(restricted), keyspace)
    return StoreUnderTest(store, lambda by: _pass_time(client, keyspace, by))


def _beside_dynamodb(request: pytest.FixtureRequest, keyspace: str) -> StoreUnderTest:
    client: Client = request.getfixturevalue("redis_link_client")
    dynamodb, table = request.getfixturevalue("references_table")
    index = DynamoReferenceIndex(dynamodb, table, keyspace)
    link = RedisLink(client)
    store = with_external_index(redis_store(link, keyspace), link, keyspace, index)
    return StoreUnderTest(store, lambda by: _pass_time(client, keyspace, by))


@pytest.fixture
def store(under_test: StoreUnderTest) -> Store:
    return under_test.store


@pytest.fixture
def now(under_test: StoreUnderTest) -> Callable[[], datetime]:
    """The clock of the store."""
    return under_test.now


@pytest.fixture
def pass_time(under_test: StoreUnderTest) -> PassTime:
    """Makes records in the store expire and age as if so much time had passed."""
    return under_test.pass_time


def _pass_time(client: Any, keyspace: str, by: timedelta) -> None:
    """A server's clock cannot be turned, so expiries are brought forward instead."""
    milliseconds = int(by.total_seconds() * 1000)
    for key in client.scan_iter(match=f"{keyspace}:*", count=1000):
        left = client.pttl(key)
        if left > 0:
            client.pexpire(key, left - milliseconds)
    publishers = f"{keyspace}:{{journal}}:publishers"
    for name, value in client.hgetall(publishers).items():
        joined, until, state = value.split(b" ")
        client.hset(publishers, name, b"%b %d %b" % (joined, int(until) - milliseconds, state))
    changes = f"{keyspace}:{{feed}}:changes"
    if client.exists(changes) and client.xinfo_groups(changes):
        for taken in client.xpending_range(changes, "dagster", "-", "+", 1000):
            idle = taken["time_since_delivered"] + milliseconds
            client.xclaim(
                changes, "dagster", taken["consumer"], 0, [taken["message_id"]], idle=idle, justid=True
            )
