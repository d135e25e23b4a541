"""The walk from an episode up to its outermost ancestor, and every way in which it ends."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.domain.catalogue import MAXIMUM_ANCESTORS, CatalogueItem, Kind, walk_ancestry
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.domain.programme import resolve_programme, resolve_programmes


def _pid(number: int) -> Pid:
    return Pid(f"b{number:07}")


def _catalogue(parents: dict[int, int | None]) -> dict[Pid, CatalogueItem]:
    """Items by number, each with the number of its parent."""
    return {
        _pid(child): CatalogueItem(
            _pid(child), Kind.SERIES, parent_pid=None if parent is None else _pid(parent)
        )
        for child, parent in parents.items()
    }


_catalogues = st.dictionaries(st.integers(1, 14), st.none() | st.integers(1, 16)).map(_catalogue)


@pytest.mark.parametrize(
    ("parents", "walked"),
    [
        pytest.param({1: None}, [1], id="alone"),
        pytest.param({1: 2, 2: None, 3: None}, [1, 2], id="one parent"),
        pytest.param({1: 2, 2: 3, 3: 4, 4: None}, [1, 2, 3, 4], id="nested series"),
        pytest.param({1: 1}, [1], id="its own parent"),
        pytest.param({1: 2, 2: 1}, [1, 2], id="cycle through the episode"),
        pytest.param({1: 2, 2: 3, 3: 4, 4: 2}, [1, 2, 3, 4], id="cycle above the episode"),
        pytest.param({1: 2, 2: 2}, [1, 2], id="parent is its own parent"),
    ],
)
def test_walk_goes_up_to(parents: dict[int, int | None], walked: list[int]) -> None:
    """The walk gives the episode and then each ancestor once, nearest first, with its item."""
    catalogue = _catalogue(parents)

    steps = list(walk_ancestry(_pid(1), catalogue.get))

    assert steps == [(_pid(number), catalogue[_pid(number)]) for number in walked]


def test_walk_gives_a_missing_parent_and_ends() -> None:
    """A parent that the catalogue lacks is given without an item, and the walk ends there."""
    catalogue = _catalogue({1: 2, 2: 3})

    steps = list(walk_ancestry(_pid(1), catalogue.get))

    assert steps == [(_pid(1), catalogue[_pid(1)]), (_pid(2), catalogue[_pid(2)]), (_pid(3), None)]


def test_walk_gives_a_missing_episode() -> None:
    """An episode that the catalogue lacks is given without an item."""
    catalogue = _catalogue({})

    steps = list(walk_ancestry(_pid(1), catalogue.get))

    assert steps == [(_pid(1), None)]


@pytest.mark.parametrize("ancestors", [7, 8, 9, 20])
def test_walk_is_cut_after_eight_ancestors(ancestors: int) -> None:
    """An episode is given with at most eight ancestors, and the ninth is not looked up."""
    catalogue = _catalogue({number: number + 1 for number in range(ancestors)} | {ancestors: None})
    asked: list[Pid] = []

    def lookup(pid: Pid) -> CatalogueItem:
        asked.append(pid)
        return catalogue[pid]

    steps = list(walk_ancestry(_pid(0), lookup))

    assert len(steps) == 1 + min(ancestors, 8)
    assert asked == [pid for pid, _ in steps]


@given(_catalogues)
def test_walk_follows_parents_and_ends_for_a_reason(catalogue: dict[Pid, CatalogueItem]) -> None:
    """With any parents, each step is the parent of the step before, no item comes twice, and the end has a cause."""
    steps = list(walk_ancestry(_pid(1), catalogue.get))

    pids = [pid for pid, _ in steps]
    last = catalogue.get(pids[-1])
    assert pids[0] == _pid(1)
    assert all(catalogue[pid].parent_pid == parent for pid, parent in pairwise(pids))
    assert len(set(pids)) == len(pids) <= 1 + MAXIMUM_ANCESTORS
    assert last is None or last.parent_pid in {None, *pids} or len(pids) == 1 + MAXIMUM_ANCESTORS


@given(_catalogues)
def test_programmes_that_are_resolved_together_are_those_that_are_resolved_alone(
    catalogue: dict[Pid, CatalogueItem],
) -> None:
    """With any parents, cycles and depths too."""
    together = resolve_programmes(catalogue, catalogue.get)

    assert together == {pid: resolve_programme(pid, catalogue.get) for pid in catalogue}


@pytest.mark.parametrize("ancestors", [7, 8, 9, 20])
def test_programmes_that_are_resolved_together_have_at_most_eight_ancestors(ancestors: int) -> None:
    """A chain of items that are all resolved is cut for each at its own place."""
    catalogue = _catalogue({number: number + 1 for number in range(ancestors)} | {ancestors: None})

    together = resolve_programmes(catalogue, catalogue.get)

    assert together == {pid: resolve_programme(pid, catalogue.get) for pid in catalogue}
