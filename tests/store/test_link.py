"""Commands that a server rejects, forgets or redirects, on one Redis and on a cluster."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from demo.redis_cluster import Cluster, Master, slot_of
from demo.servers import RedisServer
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.store.link import RedisLink, connect

on_a_cluster = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]


def test_a_server_that_has_gone_is_a_service_error(redis_executable: Path, tmp_path: Path) -> None:
    """Commands, blocking calls and scans raise ``ServiceError``."""
    with RedisServer(tmp_path, executable=redis_executable) as server:
        link = RedisLink(connect(server.url))
        link.call("SET", "a key", "1")

    with pytest.raises(ServiceError, match="Redis"):
        link.call("GET", "a key")
    with pytest.raises(ServiceError, match="Redis"):
        link.wait_for_element("a list", 0.1)
    with pytest.raises(ServiceError, match="Redis"):
        list(link.scan("*"))


@pytest.mark.parametrize(
    ("setting", "value", "usual", "says"),
    [("maxmemory", "1mb", "0", "maxmemory"), ("min-replicas-to-write", "1", "0", "NOREPLICAS")],
)
def test_a_server_that_takes_no_writes_is_a_service_error(
    redis_server: RedisServer, redis_client: Redis, setting: str, value: str, usual: str, says: str
) -> None:
    """The error says why, so that an operator knows what to do."""
    link = RedisLink(connect(redis_server.url))
    redis_client.config_set(setting, value)

    try:
        with pytest.raises(ServiceError, match=says):
            link.call("SET", "a key", "1")
    finally:
        redis_client.config_set(setting, usual)


def test_a_defect_is_raised_unchanged(redis_server: RedisServer, redis_client: Redis) -> None:
    """A command that cannot succeed is a defect and not a ``ServiceError``."""
    link = RedisLink(connect(redis_server.url))
    link.call("SET", "a key", "1")

    with pytest.raises(ResponseError, match="WRONGTYPE"):
        link.call("HGETALL", "a key")


@pytest.mark.parametrize("where", ["one", pytest.param("cluster", marks=on_a_cluster)])
def test_scripts_that_a_server_has_forgotten_are_loaded_again(
    request: pytest.FixtureRequest, where: str
) -> None:
    """A script that the server lacks is loaded and called again."""
    if where == "cluster":
        cluster: Cluster = request.getfixturevalue("cluster")
        link, servers = RedisLink(connect(cluster.url, cluster=True)), [m.client for m in cluster.masters]
    else:
        link, servers = (
            RedisLink(connect(request.getfixturevalue("redis_server").url)),
            [request.getfixturevalue("redis_client")],
        )
    script = link.script("take_token")
    commands = [script.command([f"forgotten:{{{number}}}"], [60]) for number in range(20)]
    for server in servers:
        server.script_flush()

    first = link.run(commands)
    for server in servers:
        server.script_flush()

    assert link.run(commands) == [token + 1 for token in first]


@pytest.mark.cluster
@pytest.mark.xdist_group("cluster")
def test_a_slot_that_has_moved_is_found_again(cluster: Cluster) -> None:
    """A client that knew the old owner reads and writes at the new one, in a batch as well as alone."""
    link = RedisLink(connect(cluster.url, cluster=True))
    keys = [f"{{moved}}:{number}" for number in range(10)]
    link.run([("SET", key, key) for key in keys])

    cluster.move_slot(slot_of("moved"), _other(cluster, "moved"))

    assert link.run([("GET", key) for key in keys]) == [key.encode() for key in keys]


@pytest.mark.cluster
@pytest.mark.xdist_group("cluster")
def test_single_keys_are_followed_while_their_slot_moves(cluster: Cluster) -> None:
    """While a slot moves, each key is read and written at its current owner."""
    link = RedisLink(connect(cluster.url, cluster=True))
    keys = [f"{{half}}:{number}" for number in range(10)]
    link.run([("SET", key, 0) for key in keys])

    with _half_moved(cluster, "half", keys[:5]):
        counted = link.run([("INCR", key) for key in keys])

    assert counted == [1] * 10
    assert link.run([("GET", key) for key in keys]) == [b"1"] * 10


@pytest.mark.cluster
@pytest.mark.xdist_group("cluster")
def test_a_script_whose_keys_are_in_two_places_is_a_service_error(cluster: Cluster) -> None:
    """A script on a moving slot fails as a whole and works again after the move."""
    link = RedisLink(connect(cluster.url, cluster=True))
    keys = [f"{{torn}}:{name}" for name in ("copy", "fence")]
    call = link.script("record_absence").command(keys, [])
    link.call("SET", keys[0], "a copy")
    link.call("HSET", keys[1], "token", 1)

    with _half_moved(cluster, "torn", keys[:1]), pytest.raises(ServiceError, match="Redis"):
        link.call(*call)

    assert link.call(*call) == b"OK"


@contextmanager
def _half_moved(cluster: Cluster, tag: str, moved: list[str]) -> Iterator[None]:
    """Within the block these keys of the slot have moved; at its end all have."""
    slot, to = slot_of(tag), _other(cluster, tag)
    cluster.begin_move(slot, to)
    cluster.move_keys(slot, to, [key.encode() for key in moved])
    yield
    cluster.end_move(slot, to)


def _other(cluster: Cluster, tag: str) -> Master:
    """A master that does not have the slot."""
    owner = cluster.owner(slot_of(tag))
    return next(master for master in cluster.masters if master is not owner)


def test_polls_share_connections(redis_server: RedisServer, redis_client: Redis) -> None:
    """The address is resolved again once a second, and not at every poll."""
    link = RedisLink(connect(redis_server.url))
    began = time.monotonic()
    opened_before = redis_client.info("stats")["total_connections_received"]

    for _ in range(50):
        link.info()

    opened = redis_client.info("stats")["total_connections_received"] - opened_before
    assert 1 <= opened <= 3 + (time.monotonic() - began)


def test_no_connection_searches_the_installed_packages(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search for redis-py's own version reads a directory, and leaves garbage that only a full collection frees."""
    monkeypatch.setattr("redis.utils.metadata.version", pytest.fail)

    RedisLink(connect(redis_server.url)).info()
