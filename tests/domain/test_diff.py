"""The differences between two lists of partner broadcasts."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.domain.diff import ABSENT, ORDER, PRESENCE, Difference, diff, leave_out_intended

_FIRST, _SECOND = "p0000001", "p0000002"
_Broadcasts = list[dict[str, Any]]


def _broadcast(pid: str = _FIRST, **fields: Any) -> dict[str, Any]:
    return {"broadcast_pid": pid, "start": "2026-01-15T06:00:00Z", **fields}


@pytest.mark.parametrize(
    ("ours", "theirs", "field"),
    [
        pytest.param("Lanterns", "Lantern", "title", id="text"),
        pytest.param(1800, 1801, "title", id="number"),
        pytest.param(True, False, "title", id="boolean"),
        pytest.param(1, True, "title", id="number against boolean"),
        pytest.param(1, 1.0, "title", id="whole number against fraction"),
        pytest.param("1", 1, "title", id="text against number"),
        pytest.param(None, "", "title", id="null against empty"),
        pytest.param(None, {"pid": "b1"}, "title", id="null against object"),
        pytest.param({"pid": "b1"}, {"pid": "b2"}, "title.pid", id="nested"),
        pytest.param({"a": {"b": 1}}, {"a": {"b": 2}}, "title.a.b", id="nested twice"),
    ],
)
def test_diff_names_the_field(ours: Any, theirs: Any, field: str) -> None:
    """A field whose value or type differs is named by its dotted path, and no other is."""
    found = diff([_broadcast(title=ours, same=1)], [_broadcast(title=theirs, same=1)])

    assert [(d.broadcast_pid, d.field) for d in found] == [(_FIRST, field)]


def test_diff_gives_both_values() -> None:
    """A difference holds our value and theirs."""
    found = diff([_broadcast(episode={"title": "Lanterns"})], [_broadcast(episode={"title": "Lantern"})])

    assert found == [Difference(_FIRST, "episode.title", "Lanterns", "Lantern")]


def test_diff_gives_an_object_whole_where_the_other_side_has_none() -> None:
    """Where one side has an object and the other null, the object is one difference."""
    found = diff([_broadcast(brand=None)], [_broadcast(brand={"pid": "b1", "title": ""})])

    assert found == [Difference(_FIRST, "brand", None, {"pid": "b1", "title": ""})]


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        pytest.param(
            {"title": None}, {}, [Difference(_FIRST, "title", None, ABSENT)], id="null against absent"
        ),
        pytest.param(
            {}, {"title": None}, [Difference(_FIRST, "title", ABSENT, None)], id="absent against null"
        ),
        pytest.param({"title": None}, {"title": None}, [], id="null on both sides"),
        pytest.param({}, {}, [], id="absent on both sides"),
        pytest.param(
            {"episode": {}}, {}, [Difference(_FIRST, "episode", {}, ABSENT)], id="empty against absent"
        ),
    ],
)
def test_diff_tells_absent_from_null(
    ours: dict[str, Any], theirs: dict[str, Any], found: list[Difference]
) -> None:
    """A field that is not there differs from one that is null."""
    differences = diff([_broadcast(**ours)], [_broadcast(**theirs)])

    assert differences == found


def test_diff_names_a_broadcast_that_one_side_lacks() -> None:
    """A broadcast on one side only is one difference, with its start on that side."""
    start = "2026-01-15T06:00:00Z"

    found = diff([_broadcast(_FIRST)], [_broadcast(_SECOND)])

    assert found == [
        Difference(_FIRST, PRESENCE, start, ABSENT),
        Difference(_SECOND, PRESENCE, ABSENT, start),
    ]


def test_diff_matches_broadcasts_by_pid() -> None:
    """A moved broadcast is a difference of its start, at any place in the list."""
    moved = _broadcast(_FIRST, start="2026-01-15T09:00:00Z")

    found = diff([_broadcast(_FIRST), _broadcast(_SECOND)], [_broadcast(_SECOND), moved])

    assert [(d.broadcast_pid, d.field) for d in found] == [(_FIRST, "start")]


def test_diff_names_another_order() -> None:
    """The same broadcasts in another order are one difference, of the whole list."""
    first, second = _broadcast(_FIRST), _broadcast(_SECOND)

    found = diff([first, second], [second, first])

    assert found == [Difference("", ORDER, [_FIRST, _SECOND], [_SECOND, _FIRST])]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        pytest.param([_FIRST, _FIRST], [_FIRST], id="ours"),
        pytest.param([_FIRST], [_FIRST, _FIRST], id="theirs"),
        pytest.param([_FIRST, _FIRST, _SECOND], [_FIRST, _SECOND, _SECOND], id="another one on each side"),
    ],
)
def test_diff_names_repeated_broadcasts(ours: list[str], theirs: list[str]) -> None:
    """A list that has one broadcast twice does not pass for equal."""
    found = diff([_broadcast(pid) for pid in ours], [_broadcast(pid) for pid in theirs])

    assert [d.field for d in found] == ["(repeated broadcasts)"]


def test_diff_of_nothing_is_empty() -> None:
    """Two empty lists say the same."""
    found = diff([], [])

    assert found == []


_values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "Lanterns"]),
    lambda inner: st.dictionaries(st.sampled_from(["title", "pid"]), inner, max_size=2),
    max_leaves=4,
)
_documents = st.dictionaries(
    st.sampled_from([_FIRST, _SECOND, "p0000003"]),
    st.dictionaries(st.sampled_from(["start", "title", "episode"]), _values, max_size=3),
).map(lambda broadcasts: [{"broadcast_pid": pid, **fields} for pid, fields in broadcasts.items()])


@given(_documents, _documents)
def test_diff_is_empty_where_both_are_equal_and_nowhere_else(ours: _Broadcasts, theirs: _Broadcasts) -> None:
    """Two lists have no difference exactly if they are equal as JSON, with fields in any order."""
    are_equal = orjson.dumps(ours, option=orjson.OPT_SORT_KEYS) == orjson.dumps(
        theirs, option=orjson.OPT_SORT_KEYS
    )

    found = diff(ours, theirs)

    assert (found == []) == are_equal


@given(_documents, _documents)
def test_diff_is_the_same_seen_from_the_other_side(ours: _Broadcasts, theirs: _Broadcasts) -> None:
    """Exchanging the two sides exchanges the two values of every difference."""
    exchanged = [Difference(d.broadcast_pid, d.field, d.theirs, d.ours) for d in diff(theirs, ours)]

    found = diff(ours, theirs)

    assert found == exchanged


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        pytest.param([], ["title", "episode.synopses.short", "episode.title"], id="nothing intended"),
        pytest.param(["title"], ["episode.synopses.short", "episode.title"], id="one field"),
        pytest.param(["episode.synopses.*"], ["title", "episode.title"], id="fields below"),
        pytest.param(["episode.*"], ["title"], id="fields at any depth below"),
        pytest.param(["*title"], ["episode.synopses.short"], id="ending"),
        pytest.param(
            ["Title", "episode", "tit"], ["title", "episode.synopses.short", "episode.title"], id="none"
        ),
        pytest.param(["*"], [], id="all"),
    ],
)
def test_intended_differences_are_left_out(patterns: list[str], left: list[str]) -> None:
    """A difference whose whole field matches a pattern is left out, and all others stay in order."""
    fields = ["title", "episode.synopses.short", "episode.title"]
    differences = [Difference(_FIRST, field, 1, 2) for field in fields]

    kept = leave_out_intended(differences, patterns)

    assert [difference.field for difference in kept] == left
