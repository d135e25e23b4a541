"""Conditions of the Redis servers that hold the keyspace."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from schedules_pipeline.health.condition import Condition, ConditionName, Severity, make_condition
from schedules_pipeline.health.facts import Facts
from schedules_pipeline.health.wording import count, duration, example
from schedules_pipeline.maintenance.servers import RedisServerFacts

_REPLICA_LATE_AFTER = timedelta(seconds=10)
_FULL_WARNING, _FULL_ERROR = 0.8, 0.9
_HOURS_WARNING, _HOURS_ERROR = 72, 24
_REPAIR_SHOWN_FOR = timedelta(minutes=10)
"""A short repair must still be seen."""

_Defect = tuple[Severity, str]
_Rule = Callable[[RedisServerFacts], _Defect | None]


def find_server_defects(facts: Facts) -> Iterator[Condition]:
    """Each defect once, with the servers that have it."""
    rules: tuple[tuple[ConditionName, _Rule], ...] = (
        (ConditionName.REDIS_EVICTS, _eviction),
        (ConditionName.REDIS_IS_A_REPLICA, _role),
        (ConditionName.REDIS_NOT_DURABLE, _persistence),
        (ConditionName.REDIS_REPLICATION_LOST, _replication),
        (ConditionName.REDIS_MEMORY, lambda server: _memory(server, facts.hours_until_full)),
    )
    for name, rule in rules:
        found = {server.address: defect for server in facts.servers if (defect := rule(server))}
        if found:
            yield _condition(name, found)


def find_lost_writes(facts: Facts, now: datetime) -> Iterator[Condition]:
    """A failover or a step back, from when it is noticed until a while after its repair.

    A failover after which nothing differed is no condition once that is known.
    """
    open_repairs = [each for each in facts.repairs if each.repaired_at is None]
    done = [
        each
        for each in facts.repairs
        if each.repaired_at
        and now - each.repaired_at <= _REPAIR_SHOWN_FOR
        and (each.went_back or each.differed)
    ]
    for repair in (open_repairs or done)[:1]:
        outcome = (
            f"repaired, {count(repair.differed, 'schedule')} differed"
            if repair.repaired_at
            else "being repaired"
        )
        yield make_condition(
            ConditionName.REDIS_WENT_BACK,
            "Redis",
            f"{example(repair.reason)}; {outcome}",
            {"noticed by": repair.noticed_by, "differed": repair.differed},
            repair.noticed_at,
            Severity.ERROR if repair.went_back else Severity.WARNING,
        )


def _condition(name: ConditionName, found: dict[str, _Defect]) -> Condition:
    worst = min((severity for severity, _ in found.values()), key=lambda severity: severity.rank)
    addresses = ", ".join(found)
    texts = dict.fromkeys(text for _, text in found.values())
    summary = f"Redis at {addresses}: {'; '.join(texts)}"
    evidence = {address: example(text) for address, (_, text) in found.items()}
    return make_condition(name, addresses, summary, evidence, severity=worst)


def _eviction(server: RedisServerFacts) -> _Defect | None:
    """Without a limit of memory nothing is evicted, until somebody sets one."""
    if not server.evicts:
        return None
    policy = f"its policy is {server.eviction_policy}"
    if server.evicted_keys:
        return (
            Severity.CRITICAL,
            f"{policy}, and it has deleted {server.evicted_keys:,} keys since it started",
        )
    if server.maxmemory:
        return Severity.ERROR, f"{policy}: when its memory is full, it deletes schedules"
    return Severity.WARNING, f"{policy}: with a limit of memory it would delete schedules"


def _role(server: RedisServerFacts) -> _Defect | None:
    if server.is_primary:
        return None
    return Severity.ERROR, "it is a replica: it rejects writes, and what is read may be old"


def _persistence(server: RedisServerFacts) -> _Defect | None:
    """A primary without a file loses what it has not saved, unless a replica takes over."""
    if server.persistence_problem:
        return Severity.ERROR, f"the last write to its disk failed: {server.persistence_problem}"
    if not server.is_primary or server.has_append_only_file or any(r.is_online for r in server.replicas):
        return None
    return (
        Severity.WARNING,
        "it has no append-only file and no replica: a restart loses what it has not saved",
    )


def _replication(server: RedisServerFacts) -> _Defect | None:
    if server.good_replicas == 0:
        return Severity.ERROR, "no replica acknowledges, so it rejects writes"
    away = [replica.address for replica in server.replicas if not replica.is_online]
    if away:
        return Severity.WARNING, f"replicas are not in step: {', '.join(away)}"
    late = [replica for replica in server.replicas if replica.lag > _REPLICA_LATE_AFTER]
    if late:
        return (
            Severity.WARNING,
            f"a replica is {duration(max(r.lag for r in late))} late: a failover loses so much",
        )
    return None


def _memory(server: RedisServerFacts, hours_until_full: float | None) -> _Defect | None:
    """How full it is, or when it will be. A full Redis that does not evict rejects every write."""
    share = server.used_memory / server.maxmemory if server.maxmemory else 0.0
    hours = float("inf") if hours_until_full is None or not server.maxmemory else hours_until_full
    if share < _FULL_WARNING and hours > _HOURS_WARNING:
        return None
    severity = Severity.ERROR if share >= _FULL_ERROR or hours <= _HOURS_ERROR else Severity.WARNING
    expected = "" if hours > _HOURS_WARNING else f", and full in {hours:.0f} h at the present growth"
    return severity, f"{share:.0%} of its memory is used{expected}"
