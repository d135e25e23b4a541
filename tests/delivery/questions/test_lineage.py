"""Which episodes are below a series or brand, by our copies."""

from random import Random

import pytest
from delivery.guides import NOON
from fakes import Conditions, FakeClock, FakeCopyStore, FakeReferenceIndex
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.delivery.questions.lineage import Lineage
from schedules_pipeline.documents.catalogue_document import render_copy
from schedules_pipeline.domain.catalogue import CatalogueItem, Kind, walk_ancestry
from schedules_pipeline.domain.identifiers import Pid

_BRAND, _OUTER, _INNER = Pid("b0000001"), Pid("s0000001"), Pid("s0000002")
_EPISODE, _OTHER = Pid("p0000001"), Pid("p0000002")
_PIDS = (_BRAND, _OUTER, _INNER, _EPISODE, _OTHER)


def _copies(*items: CatalogueItem) -> FakeCopyStore:
    conditions = Conditions()
    copies = FakeCopyStore(conditions, FakeReferenceIndex(conditions), FakeClock(NOON))
    copies.copies = {item.pid: render_copy(item) for item in items}
    return copies


def _item(pid: Pid, kind: Kind, parent: Pid | None = None) -> CatalogueItem:
    return CatalogueItem(pid, kind, parent_pid=parent)


_CATALOGUE = (
    _item(_BRAND, Kind.BRAND),
    _item(_OUTER, Kind.SERIES, _BRAND),
    _item(_INNER, Kind.SERIES, _OUTER),
    _item(_EPISODE, Kind.EPISODE, _INNER),
    _item(_OTHER, Kind.EPISODE, _BRAND),
)


def test_series_between_is_found() -> None:
    """An episode is below the series that its own series is part of."""
    lineage = Lineage(_copies(*_CATALOGUE))

    below = lineage.below(_OUTER, [_EPISODE, _OTHER])

    assert below == {_EPISODE}


@pytest.mark.parametrize(
    ("pid", "is_named"), [(_BRAND, True), (_EPISODE, True), (_OUTER, False), (Pid("b0000009"), False)]
)
def test_episodes_and_topmost_brands_are_always_named(pid: Pid, is_named: bool) -> None:
    """A document can show items without naming them only below a series or an unknown item."""
    lineage = Lineage(_copies(*_CATALOGUE))

    found = lineage.is_always_named(pid)

    assert found is is_named


def test_unreadable_copy_ends_the_ancestry() -> None:
    """A copy that cannot be decoded counts as missing, and the items above it count as absent."""
    copies = _copies(*_CATALOGUE)
    copies.copies[_INNER] = b"?"

    below = Lineage(copies).below(_OUTER, [_EPISODE])

    assert below == set()


@given(
    st.lists(st.sampled_from([None, *_PIDS]), min_size=5, max_size=5), st.sampled_from(_PIDS), st.randoms()
)
def test_found_are_those_whose_ancestry_holds_it(
    parents: list[Pid | None], ancestor: Pid, random: Random
) -> None:
    """In any tree and any order of questions, the items below one are those whose ancestors include it."""
    items = {pid: _item(pid, Kind.SERIES, parent) for pid, parent in zip(_PIDS, parents, strict=True)}
    lineage = Lineage(_copies(*items.values()))
    asked = random.sample(_PIDS, 3)

    below = lineage.below(ancestor, asked[:1]) | lineage.below(ancestor, asked[1:])

    assert below == {
        pid
        for pid in asked
        if pid != ancestor and ancestor in [step for step, _ in walk_ancestry(pid, items.get)]
    }
