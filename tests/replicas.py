"""A primary with replicas on loopback, of which tests promote one."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from forwarder import Forwarder
from redis import Redis

from demo.servers import LOOPBACK, RedisServer

_OPTIONS = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")


@dataclass(frozen=True, slots=True)
class Node:
    """One server, and a client of it alone. ``replication``: what a replica follows its primary through."""

    server: RedisServer
    client: Redis
    replication: Forwarder | None = None

    def lag(self) -> None:
        """From now on the replica gets nothing, and neither server notices that for a minute.

        A replica that is only stopped finds what was sent in its socket when it continues.
        """
        assert self.replication is not None
        self.replication.is_deaf = True

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.server.port}"

    def role(self) -> str:
        return str(self.client.info("replication")["role"])

    def follows(self, primary: "Node") -> bool:
        """Whether the server has all writes of the primary."""
        own, other = self.client.info("replication"), primary.client.info("replication")
        return own.get("master_link_status") == "up" and all(
            own[name] == other[name] for name in ("master_replid", "master_repl_offset")
        )

    def promote(self) -> None:
        self.client.replicaof("NO", "ONE")


@contextmanager
def running_nodes(
    executable: Path, directories: Callable[[], Path], replicas: int = 1, options: tuple[str, ...] = ()
) -> Iterator[list[Node]]:
    """A primary and its replicas, in sync. ``options``: of every server."""
    with ExitStack() as stack:
        nodes: list[Node] = []
        for _ in range(1 + replicas):
            through = stack.enter_context(Forwarder(nodes[0].server.port)) if nodes else None
            of = ("--replicaof", LOOPBACK, str(through.port)) if through else ()
            server = RedisServer(
                directories(), executable=executable, extra_arguments=[*_OPTIONS, *options, *of]
            )
            stack.enter_context(server)
            nodes.append(Node(server, stack.enter_context(Redis.from_url(server.url)), through))
        yield nodes
