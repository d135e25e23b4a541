"""The partitions of the schedules, by date and service, and the conversion between schedule keys and partition keys.

Dates and services are dynamic partitions: they are added before the first record of a schedule, and removed when
garbage collection has forgotten the last schedule of the date or service. Removing a partition deletes no record.
"""

from collections.abc import Callable, Iterable

import dagster as dg

from schedules_pipeline.dagster_storage import add_partitions_sorted
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid, parse_date
from schedules_pipeline.settings import Settings

DATES, SERVICES = "dates", "services"
SCHEDULE_PARTITIONS = dg.MultiPartitionsDefinition(
    {
        "date": dg.DynamicPartitionsDefinition(name=DATES),
        "service": dg.DynamicPartitionsDefinition(name=SERVICES),
    }
)


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


def ensure_partitions(
    instance: dg.DagsterInstance,
    keys: Iterable[ScheduleKey],
    published: Callable[[], Iterable[ScheduleKey]] = tuple,
) -> None:
    """Add the dates and services of these schedules that Dagster lacks, each list in order.

    Call it before the schedules are recorded: Dagster accepts records of unknown partitions silently, and shows them
    nowhere. ``published``: further schedules, if Dagster has no date at all. Before release 0.3, dates were computed.
    """
    known = _known(instance)
    more = () if known[DATES] else published()
    for name, wanted in _by_dimension([*keys, *more]).items():
        if wanted - known[name]:
            add_partitions_sorted(instance, name, wanted)


def prune_partitions(
    instance: dg.DagsterInstance,
    in_use: Callable[[], Iterable[ScheduleKey]],
    published: Callable[[], Iterable[ScheduleKey]],
) -> int:
    """Remove the dates and services without schedules, and add those that a published schedule lacks. Returns the
    number of removed ones.

    A publisher may publish a schedule of a date just before the date is removed. Therefore ``published`` is called
    after the removal. If this process dies in between, the next version or the next collection adds the date.
    """
    known = _known(instance)
    used = _by_dimension(in_use())
    unused = [(name, key) for name in known for key in sorted(known[name] - used[name])]
    for name, key in unused:
        instance.delete_dynamic_partition(name, key)
    ensure_partitions(instance, published())
    return len(unused)


def _known(instance: dg.DagsterInstance) -> dict[str, set[str]]:
    return {name: set(instance.get_dynamic_partitions(name)) for name in (DATES, SERVICES)}


def _by_dimension(keys: Iterable[ScheduleKey]) -> dict[str, set[str]]:
    listed = list(keys)
    return {DATES: {key.date.isoformat() for key in listed}, SERVICES: {str(key.sid) for key in listed}}
