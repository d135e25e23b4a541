"""Partitions by service and date, and the conversion between schedule keys and partition keys.

Services are dynamic partitions, because a service is known from its first schedule on.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

import dagster as dg

from schedules_pipeline.domain.identifiers import ScheduleKey, Sid, parse_date
from schedules_pipeline.settings import Settings

SERVICES = dg.DynamicPartitionsDefinition(name="services")


def schedule_partitions(settings: Settings) -> dg.MultiPartitionsDefinition:
    """Every known service on every day from ``first_date`` to ``days_ahead`` days from now.

    A broadcast day is named by its date, so the dates are plain UTC days.
    """
    days = dg.DailyPartitionsDefinition(
        start_date=settings.first_date.isoformat(), end_offset=settings.days_ahead + 1
    )
    return dg.MultiPartitionsDefinition({"date": days, "service": SERVICES})


def coldstart_shards(settings: Settings) -> dg.StaticPartitionsDefinition:
    count = settings.coldstart_shards
    return dg.StaticPartitionsDefinition([f"{number}-of-{count}" for number in range(1, count + 1)])


def shard_number(shard: str) -> int:
    """The number of a shard, from 0, by its partition key."""
    return int(shard.partition("-")[0]) - 1


def partition_key(key: ScheduleKey) -> dg.MultiPartitionKey:
    return dg.MultiPartitionKey({"date": key.date.isoformat(), "service": str(key.sid)})


def schedule_key(partition: str) -> ScheduleKey:
    """Parse ``date|service``, as Dagster writes it."""
    day, _, sid = partition.partition("|")
    return ScheduleKey(Sid(sid), parse_date(day))


def is_partitioned(day: date, now: datetime, settings: Settings) -> bool:
    """Whether a day has a partition. Dagster accepts records of unknown partitions silently."""
    return settings.first_date <= day <= now.date() + timedelta(days=settings.days_ahead)


def ensure_services(instance: dg.DagsterInstance, sids: Iterable[Sid]) -> None:
    if new := sorted(set(map(str, sids)) - known_services(instance)):
        instance.add_dynamic_partitions(SERVICES.name or "", new)


def known_services(instance: dg.DagsterInstance) -> set[str]:
    return set(instance.get_dynamic_partitions(SERVICES.name or ""))


def remove_services(instance: dg.DagsterInstance, sids: Iterable[str]) -> None:
    """Remove the partitions of these services. Their records stay."""
    for sid in sids:
        instance.delete_dynamic_partition(SERVICES.name or "", sid)
