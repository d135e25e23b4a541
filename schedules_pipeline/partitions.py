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


def in_shard(key: ScheduleKey, shard: str) -> bool:
    """By date, so that regional variants, which share their episodes, are built by the same run."""
    number, count = (int(part) for part in shard.split("-of-"))
    return key.date.toordinal() % count == number - 1


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
    known = set(instance.get_dynamic_partitions(SERVICES.name or ""))
    if new := sorted(set(map(str, sids)) - known):
        instance.add_dynamic_partitions(SERVICES.name or "", new)
