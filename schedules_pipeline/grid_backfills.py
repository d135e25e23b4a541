"""Lets a backfill over a grid of two dimensions be few runs. ``dagster.yaml`` names the coordinator of this module.

Belongs here: where the pipeline changes what Dagster does with a backfill, in the processes of Dagster itself. Does not
belong here: what a run does.

Dagster makes a range, and with it a run, for each key of the shorter dimension, although the ends of a range may differ
in both. It also stores a planned event for each partition before a run begins, with a statement each.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import groupby
from typing import Any

import dagster as dg
from dagster._core.definitions.partitions.subset.default import DefaultPartitionsSubset
from dagster._core.run_coordinator import DefaultRunCoordinator

_ONE_PLANNED_EVENT = "DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS"
_Span = tuple[str, str]
_Rectangle = tuple[_Span, _Span]
_ranges_of_dagster = DefaultPartitionsSubset.get_partition_key_ranges


class GridRunCoordinator(DefaultRunCoordinator):
    """Launches each run at once. Its process divides the partitions of a backfill into as few ranges as it can, and
    stores one planned event for each asset of a run.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        os.environ.setdefault(_ONE_PLANNED_EVENT, "1")
        replaced: Any = DefaultPartitionsSubset
        replaced.get_partition_key_ranges = _ranges


def _ranges(
    subset: DefaultPartitionsSubset, partitions_def: dg.PartitionsDefinition
) -> Sequence[dg.PartitionKeyRange]:
    if not isinstance(partitions_def, dg.MultiPartitionsDefinition):
        return _ranges_of_dagster(subset, partitions_def)
    return grid_ranges(subset.subset, partitions_def)


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
