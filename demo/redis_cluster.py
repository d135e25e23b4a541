"""A Redis Cluster of three masters on loopback, whose slots can be moved while it works.

Belongs here: starting the servers, moving and finding slots. Does not belong here: stored data, and the tested
client.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis
from redis.crc import key_slot

from demo.servers import LOOPBACK, RedisServer, ServerDidNotStart, find_free_port

MASTERS = 3
SLOTS = 16_384
_UP_WITHIN_SECONDS = 30.0
_MIGRATE_AT_ONCE = 50
_MIGRATE_TIMEOUT_MILLISECONDS = 5_000


@dataclass(frozen=True, slots=True)
class Master:
    """One node: its port, its name in the cluster, and a client of this node only."""

    url: str
    port: int
    node_id: str
    client: Redis

    def ask(self, *words: str | int) -> Any:
        """Send one command to this node, regardless of slots."""
        return self.client.execute_command(*words)  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Three masters without replicas, which share all slots."""

    masters: tuple[Master, ...]

    @property
    def url(self) -> str:
        """The address of one node; a client learns the others from it."""
        return self.masters[0].url

    def owner(self, slot: int) -> Master:
        """The master that owns this slot."""
        return next(master for master in self.masters if _has(master, slot))

    def move_slot(self, slot: int, to: Master, *, between: Callable[[], None] = lambda: None) -> None:
        """Move a slot with all its keys, as the documentation of ``CLUSTER SETSLOT`` orders the steps.

        ``between`` is called after each step, the moves of some of the keys included.
        """
        source = self.owner(slot)
        if source is to:
            return
        self.begin_move(slot, to)
        between()
        while names := self._some_keys(slot):
            self.move_keys(slot, to, names)
            between()
        self.end_move(slot, to)

    def begin_move(self, slot: int, to: Master) -> None:
        """Tell both masters that the slot is moving."""
        source = self.owner(slot)
        to.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.node_id)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", to.node_id)

    def move_keys(self, slot: int, to: Master, names: Sequence[bytes]) -> None:
        """Move these keys of a moving slot."""
        options = ("", 0, _MIGRATE_TIMEOUT_MILLISECONDS, "KEYS")
        self.owner(slot).ask("MIGRATE", LOOPBACK, to.port, *options, *(name.decode() for name in names))

    def end_move(self, slot: int, to: Master) -> None:
        """Move the remaining keys and assign the slot, first at the new owner, so that it always has an owner."""
        while names := self._some_keys(slot):
            self.move_keys(slot, to, names)
        for master in (to, *self.masters):
            master.ask("CLUSTER", "SETSLOT", slot, "NODE", to.node_id)

    def _some_keys(self, slot: int) -> list[bytes]:
        names: list[bytes] = self.owner(slot).ask("CLUSTER", "GETKEYSINSLOT", slot, _MIGRATE_AT_ONCE)
        return names


def slot_of(tag: str) -> int:
    """The slot of every key with this hash tag."""
    return key_slot(tag.encode())


@contextmanager
def running_cluster(executable: Path, directories: Callable[[], Path]) -> Iterator[Cluster]:
    """Start three empty servers, each in a directory of its own, and make one cluster of them."""
    with ExitStack() as stack:
        started = [_start(stack, executable, directories()) for _ in range(MASTERS)]
        clients = [stack.enter_context(Redis.from_url(server.url)) for server, _ in started]
        _join(clients, [(server.port, bus) for server, bus in started])
        yield Cluster(
            tuple(
                Master(server.url, server.port, _ask(client, "CLUSTER", "MYID").decode(), client)
                for (server, _), client in zip(started, clients, strict=True)
            )
        )


def _start(stack: ExitStack, executable: Path, directory: Path) -> tuple[RedisServer, int]:
    bus = find_free_port()
    options = ["--cluster-enabled", "yes", "--cluster-port", str(bus), "--cluster-node-timeout", "5000"]
    server = RedisServer(directory, executable=executable, extra_arguments=options)
    return stack.enter_context(server), bus


def _join(clients: Sequence[Redis], ports: Sequence[tuple[int, int]]) -> None:
    for i, client in enumerate(clients):
        first, last = i * SLOTS // MASTERS, (i + 1) * SLOTS // MASTERS - 1
        _ask(client, "CLUSTER", "SET-CONFIG-EPOCH", i + 1)
        _ask(client, "CLUSTER", "ADDSLOTSRANGE", first, last)
    for port, bus in ports[1:]:
        _ask(clients[0], "CLUSTER", "MEET", LOOPBACK, port, bus)
    _wait_until_whole(clients)


def _wait_until_whole(clients: Sequence[Redis]) -> None:
    deadline = time.monotonic() + _UP_WITHIN_SECONDS
    while not all(_is_whole(client) for client in clients):
        if time.monotonic() > deadline:
            raise ServerDidNotStart("the cluster did not come up")
        # There is no event to wait for: the nodes tell each other by gossip.
        time.sleep(0.05)


def _is_whole(client: Redis) -> bool:
    information = _ask(client, "CLUSTER", "INFO")
    return b"cluster_state:ok" in information and f"cluster_known_nodes:{MASTERS}".encode() in information


def _has(master: Master, slot: int) -> bool:
    """Whether this master lists the slot as its own in the node table, without moving slots."""
    table = master.ask("CLUSTER", "NODES").decode().splitlines()
    own = next(line.split() for line in table if "myself" in line)
    ranges = [part.split("-") for part in own[8:] if not part.startswith("[")]
    return any(int(r[0]) <= slot <= int(r[-1]) for r in ranges)


def _ask(client: Redis, *words: str | int) -> Any:
    return client.execute_command(*words)  # type: ignore[no-untyped-call]
