"""The servers of the keyspace, as ``INFO`` describes them: one server, or the primaries of a cluster."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from schedules_pipeline.maintenance.servers import Lineage, RedisServerFacts, ReplicaFacts
from schedules_pipeline.store.link import RedisLink

_NO_HISTORY = "0" * 40
_ERROR_COUNTS = "errorstat_"

Info = Mapping[str, Any]


class RedisServers:
    """Implements :class:`ServerStore`."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    def facts(self) -> list[RedisServerFacts]:
        return [parse_facts(address, info) for address, info in self._link.info().items()]


def parse_facts(address: str, info: Info) -> RedisServerFacts:
    """Absent fields, as in answers of older servers, count as unset."""
    return RedisServerFacts(
        address=address,
        version=str(info.get("redis_version", "")),
        role=str(info.get("role", "")),
        lineage=parse_lineage(info),
        replicas=tuple(_replicas(info)),
        used_memory=int(info.get("used_memory", 0)),
        maxmemory=int(info.get("maxmemory", 0)),
        eviction_policy=str(info.get("maxmemory_policy", "")),
        evicted_keys=int(info.get("evicted_keys", 0)),
        has_append_only_file=bool(info.get("aof_enabled")),
        persistence_problem=_persistence_problem(info),
        good_replicas=info.get("min_slaves_good_slaves"),
        rejected={
            name.removeprefix(_ERROR_COUNTS): int(value["count"])
            for name, value in info.items()
            if name.startswith(_ERROR_COUNTS)
        },
    )


def parse_lineage(info: Info) -> Lineage:
    previous = str(info.get("master_replid2", _NO_HISTORY))
    has_previous = previous != _NO_HISTORY
    return Lineage(
        run_id=str(info.get("run_id", "")),
        replication_id=str(info.get("master_replid", "")),
        offset=int(info.get("master_repl_offset", 0)),
        previous_id=previous if has_previous else "",
        # Redis names the first offset of the new history.
        previous_offset=int(info.get("second_repl_offset", 0)) - 1 if has_previous else -1,
    )


def _replicas(info: Info) -> Iterator[ReplicaFacts]:
    for number in range(int(info.get("connected_slaves", 0))):
        if replica := info.get(f"slave{number}"):
            yield ReplicaFacts(
                address=f"{replica['ip']}:{replica['port']}",
                is_online=replica.get("state") == "online",
                lag=timedelta(seconds=int(replica.get("lag", 0))),
            )


def _persistence_problem(info: Info) -> str:
    problems = {
        "aof_last_write_status": "the last write of the append-only file failed",
        "aof_last_bgrewrite_status": "the last rewrite of the append-only file failed",
        "rdb_last_bgsave_status": "the last snapshot failed",
    }
    return next((text for name, text in problems.items() if info.get(name, "ok") != "ok"), "")
