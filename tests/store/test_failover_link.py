"""The link on servers that change their roles."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from faults.stack import wait_until
from forwarder import Forwarder
from replicas import Node, running_nodes

from schedules_pipeline.errors import ConfigurationError, ServiceError
from schedules_pipeline.store.link import RedisLink, connect


@pytest.fixture
def nodes(redis_executable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    """A primary and its replica, in sync."""
    with running_nodes(redis_executable, lambda: tmp_path_factory.mktemp("node")) as (primary, replica):
        wait_until(lambda: replica.follows(primary), "the replica does not follow")
        yield [primary, replica]


@pytest.fixture
def forwarder(nodes: list[Node]) -> Iterator[Forwarder]:
    """An address that names the primary, as a name in DNS or a load balancer does."""
    with Forwarder(nodes[0].server.port) as forwarder:
        yield forwarder


@pytest.mark.parametrize(
    "write",
    [
        lambda link: link.call("SET", "a key", "1"),
        lambda link: link.run([("GET", "a key"), ("SET", "a key", "1")]),
        lambda link: link.call(*link.script("take_token").command(["{a}"], [60])),
        lambda link: link.wait_for_element("a list", 0.05),
        lambda link: link.call("GET", "a key"),
        lambda link: list(link.scan("a*")),
        lambda link: list(link.hash_pages("a hash")),
    ],
    ids=["command", "pipeline", "script", "blocking call", "read", "scan", "scan of a hash"],
)
def test_after_a_failover_the_next_call_but_one_reaches_the_new_primary(
    nodes: list[Node], forwarder: Forwarder, write: object
) -> None:
    """A call on the demoted primary, a read included, fails once; the link then connects to the address again."""
    assert callable(write)
    link = RedisLink(connect(forwarder.url))
    write(link)
    primary, replica = nodes
    replica.promote()
    forwarder.point_at(replica.server.port)
    primary.client.replicaof("127.0.0.1", str(replica.server.port))

    with pytest.raises(ServiceError):
        write(link)

    write(link)
    link.call("SET", "written after", "1")
    assert replica.client.get("written after") == b"1"


def _scan_keys(link: RedisLink) -> Iterator[object]:
    return link.scan("key*")


def _scan_hash(link: RedisLink) -> Iterator[object]:
    return link.hash_pages("a hash")


@pytest.mark.parametrize("scan", [_scan_keys, _scan_hash])
def test_a_scan_that_another_server_continues_fails(
    nodes: list[Node], forwarder: Forwarder, scan: Callable[[RedisLink], Iterator[object]]
) -> None:
    """Its cursor means another place there, so the rest would miss keys, which a collection would call unused."""
    primary, replica = nodes
    many: dict[Any, Any] = {f"key{number}": "1" for number in range(5_000)}
    primary.client.mset(many)
    primary.client.hset("a hash", mapping=many)
    wait_until(lambda: replica.client.hlen("a hash") == len(many), "the replica is behind")
    link = RedisLink(connect(forwarder.url))
    pages = scan(link)
    next(pages)

    replica.promote()
    forwarder.point_at(replica.server.port)
    link.drop_connections()

    with pytest.raises(ServiceError, match="another server answers"):
        list(pages)


@pytest.mark.parametrize(
    "command", [("BLPOP", "a list", 9), ("XREAD", "BLOCK", 900, "STREAMS", "a stream", "$")]
)
def test_a_call_that_blocks_during_a_failover_fails(
    nodes: list[Node], forwarder: Forwarder, command: tuple[str | int, ...]
) -> None:
    """Redis ends blocked writes when it is demoted. A blocked read ends in its time, and is not believed."""
    link = RedisLink(connect(forwarder.url))
    errors: list[ServiceError] = []

    def block() -> None:
        try:
            link.call(*command)
        except ServiceError as error:
            errors.append(error)

    thread = Thread(target=block)
    thread.start()
    wait_until(lambda: nodes[0].client.info("clients")["blocked_clients"] == 1, "nothing blocks")

    nodes[1].promote()
    nodes[0].client.replicaof("127.0.0.1", str(nodes[1].server.port))

    thread.join(3.0)
    assert len(errors) == 1
    assert "replica" in str(errors[0])


def test_a_fresh_call_follows_an_address_whose_old_server_still_calls_itself_primary(
    nodes: list[Node], forwarder: Forwarder
) -> None:
    """A partitioned primary looks healthy to a kept connection; only a new one shows where the address points."""
    link = RedisLink(connect(forwarder.url))
    link.call("SET", "where", "the old primary")
    nodes[1].promote()
    nodes[1].client.set("where", "the new primary")
    forwarder.point_at(nodes[1].server.port)

    kept, fresh = link.call("GET", "where"), link.run_with_info([("GET", "where")])[1]

    assert (kept, fresh) == (b"the old primary", [b"the new primary"])
    link.drop_connections()
    assert link.call("GET", "where") == b"the new primary"


def test_a_keyspace_that_is_only_read_may_be_read_from_a_replica(nodes: list[Node]) -> None:
    """The catalogue's keyspace belongs to another team, which may offer a replica."""
    link = RedisLink(connect(nodes[1].server.url), reads_replicas=True)

    assert link.call("GET", "a key") is None
    with pytest.raises(ServiceError, match="replica"):
        RedisLink(connect(nodes[1].server.url)).call("GET", "a key")


def test_a_write_waits_for_its_replicas(nodes: list[Node]) -> None:
    """With a replica that confirms, a write is there at once; without one it fails, and reads do not wait."""
    link = RedisLink(connect(nodes[0].server.url), replicas_to_wait_for=1)
    for number in range(100):
        link.call("SET", "a key", number)
        assert nodes[1].client.get("a key") == str(number).encode()

    nodes[1].promote()

    with pytest.raises(ServiceError, match="0 of 1 replicas have confirmed"):
        link.call("SET", "a key", "1")
    assert link.call("GET", "a key") == b"1"


@pytest.mark.parametrize(
    "url",
    ["redis+sentinel://127.0.0.1:26379", "redis+sentinel:///main", "redis+sentinel://127.0.0.1:port/main"],
)
def test_an_address_of_sentinels_needs_a_host_a_port_and_a_service(url: str) -> None:
    """The error does not quote the address, which may hold a password."""
    with pytest.raises(ConfigurationError, match="not a Redis address"):
        connect(url)
