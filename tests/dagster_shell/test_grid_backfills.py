"""A backfill over a grid of dates and services is few runs."""

import os
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.automation_tick_evaluation_context import (
    _build_run_requests_with_backfill_policy,
)
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.definitions.partitions.subset.default import DefaultPartitionsSubset
from dagster._core.definitions.run_request import RunRequest

from schedules_pipeline import grid_backfills
from schedules_pipeline.assets.names import PARTNER_SCHEDULE as _ASSET
from schedules_pipeline.grid_backfills import GridRunCoordinator, divide_into_few_ranges, grid_ranges
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


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """What the coordinator changes in this process is undone."""
    monkeypatch.setattr(
        DefaultPartitionsSubset, "get_partition_key_ranges", DefaultPartitionsSubset.get_partition_key_ranges
    )
    monkeypatch.setitem(os.environ, "DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS", "")
    return monkeypatch


def _runs(instance: dg.DagsterInstance) -> Sequence[RunRequest]:
    """What Dagster's daemon requests for a backfill over everything."""
    return _build_run_requests_with_backfill_policy(
        [_ASSET],
        [],
        dg.BackfillPolicy.single_run(),
        _ALL,
        SCHEDULE_PARTITIONS,
        tags={},
        dynamic_partitions_store=instance,
    )


def test_dagster_is_changed_where_it_divides_a_backfill(
    instance: dg.DagsterInstance, process: pytest.MonkeyPatch
) -> None:
    """On this version of Dagster the replaced method decides how many runs its daemon requests, and lists are divided
    as before.
    """
    with partition_loading_context(dynamic_partitions_store=instance):
        before = _runs(instance)
        GridRunCoordinator()
        GridRunCoordinator()
        after = _runs(instance)
        a_list = dg.StaticPartitionsDefinition(["a", "b", "c"])
        ranges = a_list.subset_with_partition_keys(["a", "c"]).get_partition_key_ranges(a_list)

    moved = f"Dagster {dg.__version__} divides backfills elsewhere than 1.13.27: see grid_backfills.py"
    assert divide_into_few_ranges() == "", moved
    assert len(before) == len(_SERVICES), moved
    assert len(after) == 1, moved
    assert after[0].tags["dagster/asset_partition_range_start"] == f"{_DAYS[0]}|{_SERVICES[0]}"
    assert after[0].tags["dagster/asset_partition_range_end"] == f"{_DAYS[-1]}|{_SERVICES[-1]}"
    assert [each.start for each in ranges] == ["a", "c"]


@pytest.mark.parametrize("moved", ["the module", "the method", "the parameters"])
def test_a_dagster_that_has_moved_the_method_divides_by_itself(
    instance: dg.DagsterInstance, process: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, moved: str
) -> None:
    """The coordinator launches runs as before, and its process logs why there are more of them."""
    if moved == "the module":
        process.setitem(sys.modules, DefaultPartitionsSubset.__module__, None)
    elif moved == "the method":
        process.setattr(grid_backfills, "_METHOD", "renamed")
    else:
        process.setattr(grid_backfills, "_PARAMETERS", ["self"])

    GridRunCoordinator()

    with partition_loading_context(dynamic_partitions_store=instance):
        assert len(_runs(instance)) == len(_SERVICES)
    assert f"Dagster {dg.__version__}" in caplog.text
