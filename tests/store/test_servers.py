"""What the servers of the keyspace say about themselves, on real servers."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from faults.stack import wait_until
from redis.exceptions import ResponseError
from replicas import Node, running_nodes

from demo.redis_cluster import Cluster
from schedules_pipeline.maintenance.servers import Lineage, RedisServerFacts
from schedules_pipeline.store.link import RedisLink, connect
from schedules_pipeline.store.servers import RedisServers, parse_facts


@pytest.fixture
def nodes(redis_executable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    """A primary that evicts, and its replica."""
    options = ("--appendonly", "yes", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    with running_nodes(redis_executable, lambda: tmp_path_factory.mktemp("node"), options=options) as (
        primary,
        replica,
    ):
        wait_until(lambda: replica.follows(primary), "the replica does not follow")
        wait_until(lambda: any(r.is_online for r in _facts(primary).replicas), "no replica is online")
        yield [primary, replica]


def _facts(node: Node) -> RedisServerFacts:
    [found] = RedisServers(RedisLink(connect(node.server.url))).facts()
    return found


def test_a_primary_describes_itself_and_its_replica(nodes: list[Node]) -> None:
    """Memory, eviction, persistence and rejected writes come from ``INFO``."""
    primary, replica = nodes
    primary.client.config_set("min-replicas-to-write", "5")
    with pytest.raises(ResponseError, match="NOREPLICAS"):
        primary.client.set("a key", "a value")

    found = _facts(primary)

    assert found.is_primary
    assert [of.address for of in found.replicas] == [replica.address]
    assert found.replicas[0].lag < timedelta(seconds=10)
    assert found.good_replicas == 1
    assert (found.maxmemory, found.eviction_policy, found.evicts) == (104_857_600, "allkeys-lru", True)
    assert found.used_memory > 0
    assert (found.has_append_only_file, found.persistence_problem) == (True, "")
    assert found.rejected["NOREPLICAS"] == 1


def test_a_promoted_replica_names_the_history_that_it_continued(nodes: list[Node]) -> None:
    """A replica has its primary's history, and after its promotion a new one that names the old one."""
    primary, replica = nodes
    before, copied = _facts(primary), _facts(replica)

    replica.promote()

    assert (copied.is_primary, _facts(replica).is_primary) == (False, True)
    assert copied.lineage.replication_id == before.lineage.replication_id
    assert _facts(replica).lineage.previous_id == before.lineage.replication_id
    assert _facts(replica).lineage.previous_offset >= before.lineage.offset


@pytest.mark.cluster
@pytest.mark.xdist_group("cluster")
def test_each_primary_of_a_cluster_describes_itself(cluster: Cluster) -> None:
    """A cluster answers once for each primary."""
    found = RedisServers(RedisLink(connect(cluster.url, cluster=True))).facts()

    assert {server.address.rpartition(":")[2] for server in found} == {str(m.port) for m in cluster.masters}
    assert all(server.is_primary for server in found)
    assert len({server.lineage.replication_id for server in found}) == len(cluster.masters)


def test_a_failed_write_to_disk_is_named() -> None:
    """The problem says which write failed last."""
    found = parse_facts("an address", {"aof_enabled": 1, "aof_last_write_status": "err"})

    assert found.persistence_problem == "the last write of the append-only file failed"


def test_an_answer_without_fields_is_a_server_without_a_history() -> None:
    """Fields that an older server does not send count as unset."""
    assert parse_facts("an address", {}).lineage == Lineage("", "", 0)
