"""Lets a backfill over a grid of two dimensions be few runs. ``dagster.yaml`` names the coordinator of this module.

Belongs here: where the pipeline changes what Dagster does with a backfill, in the processes of Dagster itself. Does not
belong here: what a run does.

Dagster makes a range, and with it a run, for each key of the shorter dimension, although the ends of a range may differ
in both. It also stores a planned event for each partition before a run begins, with a statement each. It has no public
way to change the ranges, so one private method is replaced, if it is where Dagster 1.13 has it; otherwise a backfill is
as many runs as Dagster makes of it.
"""

import logging
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import wraps
from importlib import import_module
from inspect import signature
from itertools import groupby
from typing import Any

import dagster as dg
from dagster._core.run_coordinator import DefaultRunCoordinator

_ONE_PLANNED_EVENT = "DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS"
_SUBSET = ("dagster._core.definitions.partitions.subset.default", "DefaultPartitionsSubset")
_METHOD = "get_partition_key_ranges"
_PARAMETERS = ["self", "partitions_def"]
_log = logging.getLogger(__name__)
_Span = tuple[str, str]
_Rectangle = tuple[_Span, _Span]


class GridRunCoordinator(DefaultRunCoordinator):
    """Launches each run at once. Its process divides the partitions of a backfill into as few ranges as it can, and
    stores one planned event for each asset of a run.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        os.environ.setdefault(_ONE_PLANNED_EVENT, "1")
        if problem := divide_into_few_ranges():
            _log.warning("A backfill over a grid is a run for each date or service: %s", problem)


def divide_into_few_ranges() -> str:
    """Replace Dagster's method in this process. Returns "", or why Dagster's own stays: it was moved or changed."""
    module, name = _SUBSET
    try:
        subset: Any = getattr(import_module(module), name)
        ranges_of_dagster = getattr(subset, _METHOD)
    except (ImportError, AttributeError) as error:
        return f"Dagster {dg.__version__}: {error}"
    if list(signature(ranges_of_dagster).parameters) != _PARAMETERS or not hasattr(subset, "subset"):
        return f"Dagster {dg.__version__}: {name}.{_METHOD} has other parameters, or other keys"

    @wraps(ranges_of_dagster)
    def ranges(chosen: Any, partitions_def: dg.PartitionsDefinition) -> Sequence[dg.PartitionKeyRange]:
        if isinstance(partitions_def, dg.MultiPartitionsDefinition):
            return grid_ranges(chosen.subset, partitions_def)
        found: Sequence[dg.PartitionKeyRange] = ranges_of_dagster(chosen, partitions_def)
        return found

    if not hasattr(ranges_of_dagster, "__wrapped__"):
        setattr(subset, _METHOD, ranges)
    return ""


def grid_ranges(
    keys: Iterable[str], partitions_def: dg.MultiPartitionsDefinition
) -> list[dg.PartitionKeyRange]:
    """Ranges that hold exactly these partitions: rectangles of adjacent keys of both dimensions."""
    first, second = partitions_def.partitions_defs
    cells = [partitions_def.get_partition_key_from_str(key).keys_by_dimension for key in keys]
    of_first = _grouped((cell[first.name], cell[second.name]) for cell in cells)
    of_second = _grouped((cell[second.name], cell[first.name]) for cell in cells)
    all_first, all_second = (
        first.partitions_def.get_partition_keys(),
        second.partitions_def.get_partition_keys(),
    )
    rows = list(_rectangles(all_first, all_second, of_first))
    columns = [(across, along) for along, across in _rectangles(all_second, all_first, of_second)]
    return [
        dg.PartitionKeyRange(
            *(
                dg.MultiPartitionKey({first.name: one, second.name: other})
                for one, other in zip(*rectangle, strict=True)
            )
        )
        for rectangle in min(rows, columns, key=len)
    ]


def _grouped(pairs: Iterable[_Span]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for key, value in pairs:
        found[key].add(value)
    return found


def _rectangles(
    lines: Sequence[str], places: Sequence[str], cells: Mapping[str, AbstractSet[str]]
) -> Iterator[_Rectangle]:
    """Adjacent lines with the same cells are one rectangle for each span of these."""
    spans = [(line, _spans(places, cells.get(line, frozenset()))) for line in lines]
    for of_each, group in groupby(spans, key=lambda line: line[1]):
        alike = [line for line, _ in group]
        yield from (((alike[0], alike[-1]), span) for span in of_each)


def _spans(places: Sequence[str], present: AbstractSet[str]) -> list[_Span]:
    """The first and the last of each run of adjacent places that are present."""
    runs = (list(run) for is_present, run in groupby(places, key=present.__contains__) if is_present)
    return [(run[0], run[-1]) for run in runs]
