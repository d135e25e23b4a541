"""A backfill over a grid of dates and services is few runs."""

import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.definitions.partitions.subset.default import DefaultPartitionsSubset

from schedules_pipeline.grid_backfills import GridRunCoordinator, grid_ranges
from schedules_pipeline.partitions import DATES, SCHEDULE_PARTITIONS, SERVICES

_DAYS = [f"2026-03-{day:02}" for day in range(1, 11)]
_SERVICES = [f"alder_{name}" for name in ("four", "one", "three", "two")]
_ALL = frozenset(f"{day}|{service}" for day, service in product(_DAYS, _SERVICES))


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        instance.add_dynamic_partitions(DATES, _DAYS)
        instance.add_dynamic_partitions(SERVICES, _SERVICES)
        yield instance


def _keys(instance: dg.DagsterInstance, ranges: list[dg.PartitionKeyRange]) -> list[str]:
    """What the runs of these ranges rebuild, by Dagster's own reckoning."""
    return [
        str(key)
        for each in ranges
        for key in SCHEDULE_PARTITIONS.get_partition_keys_in_range(each, dynamic_partitions_store=instance)
    ]


@pytest.mark.parametrize(
    ("keys", "ranges"),
    [
        pytest.param(_ALL, 1, id="everything"),
        pytest.param({f"{day}|alder_two" for day in _DAYS}, 1, id="one service"),
        pytest.param({f"{_DAYS[4]}|{service}" for service in _SERVICES}, 1, id="one date"),
        pytest.param({f"{_DAYS[0]}|alder_one"}, 1, id="one schedule"),
        pytest.param(_ALL - {f"{_DAYS[4]}|alder_one"}, 4, id="all but one"),
        pytest.param({key for key in _ALL if not key.endswith("_one")}, 2, id="all but a service"),
        pytest.param({f"{day}|alder_{name}" for day in _DAYS for name in ("four", "two")}, 2, id="two apart"),
        pytest.param(frozenset(), 0, id="nothing"),
    ],
)
def test_few_ranges_hold_exactly_the_chosen_partitions(
    instance: dg.DagsterInstance, keys: frozenset[str], ranges: int
) -> None:
    """Adjacent dates and services are one range, and no partition is in two or in none."""
    with partition_loading_context(dynamic_partitions_store=instance):
        found = grid_ranges(keys, SCHEDULE_PARTITIONS)

    assert len(found) == ranges
    assert sorted(_keys(instance, found)) == sorted(keys)


def test_the_coordinator_changes_its_own_process(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it is loaded, Dagster asks for one range over everything, and for lists as before."""
    monkeypatch.setattr(
        DefaultPartitionsSubset, "get_partition_key_ranges", DefaultPartitionsSubset.get_partition_key_ranges
    )
    monkeypatch.setitem(os.environ, "DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS", "")
    with partition_loading_context(dynamic_partitions_store=instance):
        everything = SCHEDULE_PARTITIONS.subset_with_partition_keys(_ALL)
        before = everything.get_partition_key_ranges(SCHEDULE_PARTITIONS)

        GridRunCoordinator()

        assert len(before) == len(_SERVICES)
        assert len(everything.get_partition_key_ranges(SCHEDULE_PARTITIONS)) == 1
        a_list = dg.StaticPartitionsDefinition(["a", "b", "c"])
        ranges = a_list.subset_with_partition_keys(["a", "c"]).get_partition_key_ranges(a_list)
        assert [each.start for each in ranges] == ["a", "c"]
