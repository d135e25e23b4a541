"""The link on a real Sentinel, which promotes a replica when the primary is gone."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.stack import wait_until
from redis import ConnectionError, Redis  # noqa: A004
from replicas import Node, running_nodes

from demo.servers import LOOPBACK, RedisServer
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.store.link import RedisLink, connect

_SERVICE = "schedules"


class Sentinel(RedisServer):
    """One Sentinel that decides alone, within a second."""

    def __init__(self, directory: Path, executable: Path, primary_port: int) -> None:
        super().__init__(directory, executable=executable)
        self._program, self._primary_port = executable, primary_port

    def _command(self, port: int) -> list[str]:
        lines = [
            f"port {port}",
            f"bind {LOOPBACK}",
            f"sentinel monitor {_SERVICE} {LOOPBACK} {self._primary_port} 1",
            f"sentinel down-after-milliseconds {_SERVICE} 500",
            f"sentinel failover-timeout {_SERVICE} 3000",
        ]
        (self.directory / "sentinel.conf").write_text("\n".join(lines))
        return [str(self._program), str(self.directory / "sentinel.conf"), "--sentinel"]

    def _is_ready(self, port: int, pid: int) -> bool:
        try:
            return bool(self.info("server")["process_id"] == pid)
        except ConnectionError as error:
            raise OSError from error

    def info(self, section: str) -> dict[str, object]:
        with Redis.from_url(self.url) as client:
            return dict(client.info(section))


@pytest.fixture
def nodes(redis_executable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    """A primary and its replica, in sync."""
    with running_nodes(redis_executable, lambda: tmp_path_factory.mktemp("node")) as (primary, replica):
        wait_until(lambda: replica.follows(primary), "the replica does not follow")
        yield [primary, replica]


def test_the_link_follows_the_primary_that_a_sentinel_names(
    nodes: list[Node], redis_executable: Path, tmp_path: Path
) -> None:
    """When the primary dies, calls fail until the Sentinel has promoted the replica; then they reach it."""
    primary, replica = nodes
    with Sentinel(tmp_path, redis_executable, primary.server.port) as sentinel:
        link = RedisLink(
            connect(f"redis+sentinel://{LOOPBACK}:{sentinel.port}/{_SERVICE}/0", timeout_seconds=1)
        )
        link.call("SET", "a key", "before")
        wait_until(
            lambda: "'slaves': 1" in str(sentinel.info("sentinel")), "the Sentinel does not know the replica"
        )
        os.kill(primary.server.pid, signal.SIGKILL)

        wait_until(lambda: _is_written(link), "nothing promotes the replica")

    assert replica.client.get("a key") == b"after"


def _is_written(link: RedisLink) -> bool:
    try:
        return bool(link.call("SET", "a key", "after"))
    except ServiceError:
        return False
