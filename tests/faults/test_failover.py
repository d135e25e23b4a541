"""Redis fails over, restarts and is replaced under a publisher and delivery services."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from faults.failover_stage import Failover, fail_over
from faults.stack import wait_until
from forwarder import Forwarder
from redis import Redis
from replicas import Node, running_nodes

from demo.servers import LOOPBACK
from schedules_pipeline.delivery.changes import position_of
from schedules_pipeline.delivery.problems import Problem
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.documents.cursors import render_cursor
from schedules_pipeline.domain.identifiers import ScheduleKey

pytestmark = pytest.mark.xdist_group("faults")

Noted = Callable[[str, float, float], None]


class Ground:
    """A primary, its replica, an address that leads to the primary, and everything that runs on it."""

    def __init__(self, stack: ExitStack, nodes: list[Node]) -> None:
        self.primary, self.replica = nodes
        self.stack = stack
        self.forwarder = stack.enter_context(Forwarder(self.primary.server.port))

    def begin(self, days: int = 1, replicas_to_wait_for: int = 0) -> Failover:
        stage = Failover(self.stack, self.forwarder.url, days, replicas_to_wait_for)
        stage.start_publisher()
        wait_until(lambda: self.replica.follows(self.primary), "the replica does not follow")
        return stage


@pytest.fixture
def ground(redis_executable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A primary and its replica, without any data."""
    with ExitStack() as stack:
        options = ("--appendonly", "yes", "--repl-backlog-size", "16mb")
        nodes = running_nodes(redis_executable, lambda: tmp_path_factory.mktemp("node"), options=options)
        yield Ground(stack, stack.enter_context(nodes))


@pytest.fixture
def noted(record_property: Callable[[str, object], None]) -> Noted:
    """Notes the times of one failover for the table at the end. The goals are 2 s and 20 s on a quiet machine."""

    def note(name: str, noticed: float, right: float) -> None:
        record_property("failover", (name, noticed, right))

    return note


def _seq(delivery: Delivery, key: ScheduleKey) -> int:
    held = delivery.mirror.held(key)
    return held.seq if held else 0


def test_a_lost_publication_is_noticed_and_repaired(ground: Ground, noted: Noted) -> None:
    """A replica that lacks the last version is promoted: one new epoch, old cursors refused, all answers alike."""
    stage = ground.begin(days=30)
    heard = [stage.start_delivery() for _ in range(2)]
    key, before = stage.keys[0], heard[0].mirror.cursor.epoch
    ground.replica.lag()
    stage.put(key)
    wait_until(lambda: all(_seq(d, key) == 2 for d in heard), "nobody heard of the change")
    cursor = render_cursor(heard[0].mirror.cursor)

    at = fail_over(ground.primary, ground.replica, ground.forwarder)
    wait_until(stage.has_gone_back, "the loss was not noticed")
    noticed = time.monotonic() - at
    wait_until(lambda: all(d.mirror.cursor.epoch != before for d in heard), "a service kept its epoch")
    deliveries = [*heard, stage.start_delivery()]
    expected = stage.expected()
    wait_until(lambda: stage.is_right(expected, *deliveries), "the store did not become right")

    repair = stage.noticed()
    assert repair is not None
    assert repair.went_back
    assert {d.mirror.cursor.epoch for d in deliveries} == {repair.id}
    with pytest.raises(Problem, match="lost"):
        position_of(cursor, heard[0].mirror.cursor)
    assert repair.repaired_at is not None
    noted("a version that partners heard of is lost", noticed, time.monotonic() - at)


def test_a_lost_mark_is_repaired(ground: Ground, noted: Noted) -> None:
    """A mark leaves no row in the feed: the other history alone shows that writes may be lost. Cursors stay valid."""
    stage = ground.begin()
    delivery = stage.start_delivery()
    before = delivery.mirror.cursor.epoch
    stage.stop_publisher()
    ground.replica.lag()
    stage.put(stage.keys[0])

    at = fail_over(ground.primary, ground.replica, ground.forwarder)
    stage.start_publisher()
    wait_until(lambda: stage.noticed() is not None, "the move was not noticed")
    noticed = time.monotonic() - at
    expected = stage.expected()
    wait_until(lambda: stage.is_right(expected, delivery), "the store did not become right")

    repair = stage.noticed()
    assert repair is not None
    assert (repair.went_back, repair.differed) == (False, 1)
    assert delivery.mirror.cursor.epoch == before
    noted("a mark is lost", noticed, time.monotonic() - at)


def test_an_old_primary_that_lives_is_left(ground: Ground, noted: Noted) -> None:
    """The address leads elsewhere, and the old primary still takes writes: every process follows the address."""
    stage = ground.begin()
    delivery = stage.start_delivery()
    ground.replica.promote()
    ground.forwarder.point_at(ground.replica.server.port)

    at = time.monotonic()
    wait_until(lambda: stage.noticed() is not None, "the move was not noticed")
    noticed = time.monotonic() - at
    wait_until(lambda: stage.is_right(stage.expected(), delivery), "the store did not become right")
    ground.primary.client.flushall()
    stage.put(stage.keys[0])
    expected = stage.expected()
    wait_until(lambda: stage.is_right(expected, delivery), "the change did not arrive")

    assert ground.primary.client.dbsize() == 0
    noted("the old primary lives on, unreachable for new connections", noticed, time.monotonic() - at)


def test_a_demoted_primary_is_left(ground: Ground, noted: Noted) -> None:
    """The old primary becomes a replica and keeps its connections: readers and writers leave it."""
    stage = ground.begin()
    delivery = stage.start_delivery()
    ground.replica.promote()
    ground.forwarder.point_at(ground.replica.server.port)
    ground.primary.client.replicaof("127.0.0.1", str(ground.replica.server.port))

    at = time.monotonic()
    wait_until(lambda: stage.noticed() is not None, "the move was not noticed")
    noticed = time.monotonic() - at
    stage.pipeline.store.continuity.epoch()
    stage.put(stage.keys[0])
    expected = stage.expected()
    wait_until(lambda: stage.is_right(expected, delivery), "the change did not arrive")

    noted("the primary is demoted and keeps its connections", noticed, time.monotonic() - at)


def test_writes_that_replicas_confirmed_need_no_comparison(ground: Ground) -> None:
    """With ``WAIT`` for every write a failover loses nothing, and nobody compares anything.

    The old primary comes back as a replica, or no write would be confirmed, that of a repair included.
    """
    stage = ground.begin(replicas_to_wait_for=1)
    delivery = stage.start_delivery()
    stage.put(stage.keys[0])
    expected = stage.expected()
    wait_until(lambda: stage.is_right(expected, delivery), "the change did not arrive")
    cursor, before = delivery.mirror.cursor, stage.histories()

    ground.replica.client.config_set("min-replicas-to-write", "0")
    fail_over(ground.primary, ground.replica, ground.forwarder)
    ground.primary.server.__exit__(None, None, None)
    ground.primary.server.__enter__()
    with Redis.from_url(ground.primary.server.url) as returned:
        returned.replicaof(LOOPBACK, str(ground.replica.server.port))
    wait_until(lambda: stage.histories() not in {"", before}, "nobody looked at the promoted replica")

    assert stage.noticed() is None
    assert stage.is_right(expected, delivery)
    assert delivery.mirror.cursor == cursor


def test_a_restart_costs_a_comparison(ground: Ground, noted: Noted) -> None:
    """A restarted process has another history; nothing differs, cursors stay valid, nothing is published."""
    stage = ground.begin()
    delivery = stage.start_delivery()
    cursor = delivery.mirror.cursor
    ground.primary.server.__exit__(None, None, None)
    at = time.monotonic()
    ground.primary.server.__enter__()
    ground.forwarder.point_at(ground.primary.server.port)
    wait_until(lambda: stage.noticed() is not None, "the restart was not noticed")
    noticed = time.monotonic() - at
    expected = stage.expected()
    wait_until(lambda: stage.is_right(expected, delivery), "the store did not become right")

    repair = stage.noticed()
    assert repair is not None
    assert (repair.went_back, repair.differed) == (False, 0)
    assert delivery.mirror.cursor == cursor
    noted("a restart with an append-only file", noticed, time.monotonic() - at)
