"""The partitions of the schedules: those that exist, in order, with the records that are there."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.partition_status_cache import AssetPartitionStatus

from schedules_pipeline.assets import names
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.partitions import (
    DATES,
    SCHEDULE_PARTITIONS,
    SERVICES,
    ensure_partitions,
    partition_key,
    prune_partitions,
    schedule_key,
)

_ALDER, _BIRCH = Sid("alder_one"), Sid("birch_one")
_EARLY, _MIDDLE, _LATE = (ScheduleKey(_ALDER, date(2026, 3, day)) for day in (9, 10, 28))
_OF_BIRCH = ScheduleKey(_BIRCH, date(2026, 3, 10))


@pytest.fixture(params=["sqlite", "postgres"])
def instance(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    storage: dict[str, Any] = {}
    if request.param == "postgres":
        storage = {"storage": {"postgres": {"postgres_url": request.getfixturevalue("postgres_url")}}}
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=storage) as instance:
        yield instance


def _dates(instance: dg.DagsterInstance) -> list[str]:
    return list(instance.get_dynamic_partitions(DATES))


def _keys(instance: dg.DagsterInstance) -> list[str]:
    return list(map(str, SCHEDULE_PARTITIONS.get_partition_keys(dynamic_partitions_store=instance)))


def _record(instance: dg.DagsterInstance, key: ScheduleKey) -> None:
    instance.report_runless_asset_event(
        dg.AssetMaterialization(names.PARTNER_SCHEDULE, partition=partition_key(key))
    )


def _statuses(instance: dg.DagsterInstance) -> dict[str, AssetPartitionStatus | None]:
    found = instance.get_status_by_partition(names.PARTNER_SCHEDULE, _keys(instance), SCHEDULE_PARTITIONS)
    return dict(found or {})


def test_a_partition_key_names_one_schedule() -> None:
    """Turning a schedule key into a partition key and back gives the same schedule key."""
    partition = partition_key(_MIDDLE)

    assert str(partition) == "2026-03-10|alder_one"
    assert schedule_key(str(partition)) == _MIDDLE


def test_an_instance_without_schedules_has_no_partitions(instance: dg.DagsterInstance) -> None:
    """No day is missing before it was published."""
    assert _keys(instance) == []


def test_partitions_are_the_dates_and_services_that_were_ensured(instance: dg.DagsterInstance) -> None:
    """Any date may come, however far away."""
    far = ScheduleKey(_ALDER, date(2062, 1, 1))

    ensure_partitions(instance, [_MIDDLE, far])

    assert _keys(instance) == ["2026-03-10|alder_one", "2062-01-01|alder_one"]


def test_dates_and_services_are_in_order_whenever_they_come(instance: dg.DagsterInstance) -> None:
    """Dagster shows partitions in the order of insertion, and an older day may be published later."""
    ensure_partitions(instance, [_LATE, _OF_BIRCH])

    ensure_partitions(instance, [_EARLY])

    assert _dates(instance) == ["2026-03-09", "2026-03-10", "2026-03-28"]
    assert list(instance.get_dynamic_partitions(SERVICES)) == ["alder_one", "birch_one"]


def test_a_death_while_dates_are_sorted_loses_none(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dates are removed and added again in one transaction."""
    ensure_partitions(instance, [_LATE])
    monkeypatch.setattr("schedules_pipeline.dagster_storage.sorted", _die_in_the_transaction, raising=False)

    with pytest.raises(_Death):
        ensure_partitions(instance, [_EARLY])

    assert set(_dates(instance)) == {"2026-03-09", "2026-03-28"}


class _Death(Exception):
    pass


def _die_in_the_transaction(values: object) -> list[str]:
    """Stand in for ``sorted``: the values that a statement has returned are no collection yet."""
    if isinstance(values, list | set | tuple):
        return sorted(values)
    raise _Death


def test_publishers_that_add_dates_at_once_lose_none(instance: dg.DagsterInstance) -> None:
    """The dates are in order when the last publisher has added its own."""
    days = [ScheduleKey(_ALDER, date(2026, 3, day)) for day in range(1, 29)]
    ensure_partitions(instance, [_MIDDLE])

    with ThreadPoolExecutor(4) as publishers:
        for _ in publishers.map(lambda key: ensure_partitions(instance, [key]), reversed(days)):
            pass

    assert _dates(instance) == [str(key.date) for key in days]


def test_the_history_of_a_date_returns_with_it(instance: dg.DagsterInstance) -> None:
    """Removing a partition deletes no record, nor does sorting."""
    ensure_partitions(instance, [_LATE])
    _record(instance, _LATE)
    prune_partitions(instance, list, list)
    assert _statuses(instance) == {}

    ensure_partitions(instance, [_LATE])
    ensure_partitions(instance, [_EARLY])

    assert _statuses(instance) == {
        "2026-03-09|alder_one": None,
        "2026-03-28|alder_one": AssetPartitionStatus.MATERIALIZED,
    }


def test_records_under_the_former_definition_stay_attached(instance: dg.DagsterInstance) -> None:
    """Before release 0.3 dates were a daily definition from a first date, and keys had the same form."""
    days = dg.DailyPartitionsDefinition("2026-03-01", end_offset=1)
    former = dg.MultiPartitionsDefinition(
        {"date": days, "service": dg.DynamicPartitionsDefinition(name=SERVICES)}
    )
    instance.add_dynamic_partitions(SERVICES, ["alder_one"])
    keys = former.get_partition_keys(datetime(2026, 3, 29, tzinfo=UTC), dynamic_partitions_store=instance)
    assert partition_key(_LATE) in keys
    _record(instance, _LATE)
    assert instance.get_status_by_partition(names.PARTNER_SCHEDULE, list(map(str, keys)), former)

    ensure_partitions(instance, [], lambda: [_LATE])

    assert _statuses(instance) == {"2026-03-28|alder_one": AssetPartitionStatus.MATERIALIZED}


def test_dates_without_schedules_are_removed_and_others_stay(instance: dg.DagsterInstance) -> None:
    """A collection removes a date once its last schedule is forgotten, and a service likewise."""
    ensure_partitions(instance, [_EARLY, _MIDDLE, _OF_BIRCH])
    _record(instance, _MIDDLE)

    removed = prune_partitions(instance, lambda: [_MIDDLE], lambda: [_MIDDLE])

    assert removed == 2
    assert _statuses(instance) == {"2026-03-10|alder_one": AssetPartitionStatus.MATERIALIZED}


def test_a_date_that_is_published_while_it_is_removed_stays(instance: dg.DagsterInstance) -> None:
    """The published schedules are read after the removal, and those without a partition get it back."""
    ensure_partitions(instance, [_EARLY, _MIDDLE])

    prune_partitions(instance, lambda: [_MIDDLE], lambda: [_EARLY, _MIDDLE])

    assert _dates(instance) == ["2026-03-09", "2026-03-10"]


def test_published_schedules_are_added_only_to_an_instance_without_dates(
    instance: dg.DagsterInstance,
) -> None:
    """All are read once after an upgrade, and not with every record."""
    ensure_partitions(instance, [_EARLY], lambda: [_MIDDLE])

    ensure_partitions(instance, [_LATE], lambda: pytest.fail("read again"))

    assert _dates(instance) == ["2026-03-09", "2026-03-10", "2026-03-28"]
