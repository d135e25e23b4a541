"""Partitions: service × date. Services are dynamic, for they come with their first schedule; dates are days.

The one place that turns a schedule key into Dagster's partition key and back.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

import dagster as dg

from schedules_pipeline.domain.identifiers import ScheduleKey, Sid, parse_date
from schedules_pipeline.settings import Settings

SERVICES = dg.DynamicPartitionsDefinition(name="services")


def schedule_partitions(settings: Settings) -> dg.MultiPartitionsDefinition:
    """Every known service on every day from the first one to some weeks ahead.

    A broadcast day is named by its date, wherever it begins and ends; so the dates are plain UTC days.
    """
    days = dg.DailyPartitionsDefinition(
        start_date=settings.first_date.isoformat(), end_offset=settings.days_ahead + 1
    )
    return dg.MultiPartitionsDefinition({"date": days, "service": SERVICES})


def coldstart_shards(settings: Settings) -> dg.StaticPartitionsDefinition:
    """The few large runs of a coldstart."""
    count = settings.coldstart_shards
    return dg.StaticPartitionsDefinition([f"{number}-of-{count}" for number in range(1, count + 1)])


def shard_number(shard: str) -> int:
    """Counted from 0, of a shard's partition key."""
    return int(shard.partition("-")[0]) - 1


def partition_key(key: ScheduleKey) -> dg.MultiPartitionKey:
    return dg.MultiPartitionKey({"date": key.date.isoformat(), "service": str(key.sid)})


def schedule_key(partition: str) -> ScheduleKey:
    """Read ``date|service``, as Dagster writes it."""
    day, _, sid = partition.partition("|")
    return ScheduleKey(Sid(sid), parse_date(day))


def is_partitioned(day: date, now: datetime, settings: Settings) -> bool:
    """Whether a day is among the partitions: Dagster takes any key silently, so we look first."""
    return settings.first_date <= day <= now.date() + timedelta(days=settings.days_ahead)


def ensure_services(instance: dg.DagsterInstance, sids: Iterable[Sid]) -> None:
    """Make partitions of services that are new."""
    if new := sorted(set(map(str, sids)) - known_services(instance)):
        instance.add_dynamic_partitions(SERVICES.name or "", new)


def known_services(instance: dg.DagsterInstance) -> set[str]:
    """The services that there are partitions of."""
    return set(instance.get_dynamic_partitions(SERVICES.name or ""))


def remove_services(instance: dg.DagsterInstance, sids: Iterable[str]) -> None:
    """Remove the partitions of these services; what was recorded of them stays."""
    for sid in sids:
        instance.delete_dynamic_partition(SERVICES.name or "", sid)
