"""The link behind a real HAProxy, which sends connections to the server that calls itself the primary."""

import os
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from faults.stack import wait_until
from replicas import Node, running_nodes

from demo.servers import LOOPBACK, LoopbackServer
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.store.link import RedisLink, connect

_HAPROXY = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

_CONFIGURATION = """\
defaults
  mode tcp
  timeout connect 1s
  timeout client 1m
  timeout server 1m
frontend redis
  bind {address}:{port}
  default_backend primary
backend primary
  option tcp-check
  tcp-check send info\\ replication\\r\\n
  tcp-check expect string role:master
  default-server inter 100ms fall 1 rise 1{when_down}
{servers}
"""

pytestmark = pytest.mark.skipif(_HAPROXY is None, reason="haproxy is not installed")


class HAProxy(LoopbackServer):
    """``closes``: whether it closes the connections to a server that is no longer the primary."""

    def __init__(self, directory: Path, nodes: Sequence[Node], *, closes: bool) -> None:
        super().__init__("haproxy", directory, None, "")
        self._nodes, self._closes = nodes, closes

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}/0"

    def _command(self, port: int) -> list[str]:
        servers = "\n".join(f"  server node{n} {node.address} check" for n, node in enumerate(self._nodes))
        when_down = " on-marked-down shutdown-sessions" if self._closes else ""
        path = self.directory / "haproxy.cfg"
        path.write_text(
            _CONFIGURATION.format(address=LOOPBACK, port=port, servers=servers, when_down=when_down)
        )
        return [str(_HAPROXY), "-db", "-f", str(path)]

    def _environment(self, _: int) -> Mapping[str, str] | None:
        return None

    def _is_ready(self, port: int, _: int) -> bool:
        with socket.create_connection((LOOPBACK, port), timeout=1.0):
            return True


@pytest.fixture
def nodes(redis_executable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    """A primary and its replica, in sync."""
    with running_nodes(redis_executable, lambda: tmp_path_factory.mktemp("node")) as (primary, replica):
        wait_until(lambda: replica.follows(primary), "the replica does not follow")
        yield [primary, replica]


@pytest.mark.parametrize("closes", [True, False], ids=["closes connections", "keeps connections"])
def test_the_link_follows_the_primary_that_haproxy_chooses(
    nodes: list[Node], tmp_path: Path, *, closes: bool
) -> None:
    """Writes go to the promoted server after a failover, and no call is answered by the demoted one."""
    primary, replica = nodes
    with HAProxy(tmp_path, nodes, closes=closes) as proxy:
        link = RedisLink(connect(proxy.url, timeout_seconds=2.0))
        wait_until(lambda: _write(link, "before"), "haproxy does not find the primary")
        wait_until(lambda: replica.follows(primary), "the replica lags")

        replica.promote()
        primary.client.replicaof(LOOPBACK, str(replica.server.port))
        replica.client.set("a key", "after")
        read: set[bytes] = set()

        wait_until(lambda: _read(link, read), "haproxy does not send the link to the promoted server")
        wait_until(lambda: _write(link, "written after"), "the promoted server gets no writes")

    assert read == {b"after"}
    assert replica.client.get("a key") == b"written after"


def _write(link: RedisLink, value: str) -> bool:
    try:
        return bool(link.call("SET", "a key", value))
    except ServiceError:
        return False


def _read(link: RedisLink, read: set[bytes]) -> bool:
    """Whether a server answered; its answer is added."""
    with suppress(ServiceError):
        read.add(link.call("GET", "a key"))
        return True
    return False
