"""One bad broadcast among good ones: the others are published as if it were not there."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from documents.source_documents import KEY, Document, a_broadcast, a_document
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.documents.accepted_schedule import accept, parse_accepted, render_accepted
from schedules_pipeline.documents.source_document import parse_source_document
from schedules_pipeline.domain.schedule import Slot, SourceDocument, keep_last_good

_SIX = datetime(2026, 1, 15, 6, tzinfo=UTC)
_BAD = 10
_BAD_PID = "p0000010"


def _listed(number: int, moved_by: timedelta = timedelta(0), **changes: Any) -> Document:
    """A half-hour broadcast, one of twenty-one in a row."""
    start = _SIX + timedelta(minutes=30 * number) + moved_by
    times = {"start": start.isoformat(), "end": (start + timedelta(minutes=30)).isoformat()}
    return a_broadcast(broadcast_pid=f"p{number:07}", episode_pid=f"b{number:07}", **times) | changes


def _parsed(*broadcasts: Any) -> SourceDocument:
    return parse_source_document(KEY, orjson.dumps(a_document(*broadcasts)))


def _slots(document: SourceDocument) -> Mapping[str, Slot]:
    return {slot.broadcast_pid: slot for slot in document.schedule.slots}


_BEFORE = _parsed(*map(_listed, range(21))).schedule.slots
_LATER = timedelta(minutes=5)
_MOVED = [_listed(number, _LATER) for number in range(21)]
_OTHERS = {pid: slot for pid, slot in _slots(_parsed(*_MOVED)).items() if pid != _BAD_PID}


def _with_bad(*bad: Any) -> SourceDocument:
    """Twenty moved broadcasts, and these in the place of one."""
    return _parsed(*_MOVED[:_BAD], *bad, *_MOVED[_BAD + 1 :])


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"version_pid": "v 1"}, id="malformed optional pid"),
        pytest.param({"is_repeat": None}, id="null flag"),
        pytest.param({"is_blanked": None}, id="null blanking"),
        pytest.param({"is_signed": "no"}, id="flag a text"),
        pytest.param({"start": "2026-01-14T24:00:00Z", "end": "2026-01-15T00:30:00Z"}, id="24:00:00"),
    ],
)
def test_a_mended_broadcast_is_published_with_the_others(changes: Document) -> None:
    """It has one obvious reading, so nothing is quarantined."""
    found = _with_bad(_listed(_BAD, _LATER) | changes)

    assert found.quarantined == ()
    assert _slots(found).keys() == _OTHERS.keys() | {_BAD_PID}
    assert _OTHERS.items() <= _slots(found).items()


def test_an_identical_repetition_costs_nothing() -> None:
    """The document says the same as without it."""
    found = _with_bad(_MOVED[_BAD], _MOVED[_BAD])

    assert (found.quarantined, found.schedule) == ((), _parsed(*_MOVED).schedule)


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(_listed(_BAD, end=_SIX.isoformat(), start=_SIX.isoformat()), id="zero length"),
        pytest.param(_listed(_BAD, end=(_SIX - _LATER).isoformat()), id="negative length"),
        pytest.param(_listed(_BAD, end="2027-01-15T06:00:00Z"), id="absurd length"),
        pytest.param(_listed(_BAD, broadcast_pid=_BAD_PID.upper()), id="upper-case pid"),
        pytest.param(_listed(_BAD, episode_pid="B0000010"), id="upper-case episode pid"),
        pytest.param(_listed(_BAD, episode_pid="episode"), id="malformed episode pid"),
        pytest.param(_listed(_BAD, start=None), id="no start"),
        pytest.param(_listed(_BAD, end="half past six"), id="unreadable end"),
    ],
)
def test_the_last_good_slot_stays_beside_the_others(bad: Document) -> None:
    """The twenty moves are published. The last good slot overlaps a neighbour that moved, and stays if that is gone."""
    found = _with_bad(bad)

    assert _slots(found) == _OTHERS
    assert [each.broadcast_pid for each in found.quarantined] == [_BAD_PID]
    assert keep_last_good(found, _BEFORE) == found.schedule
    free = _parsed(*_MOVED[: _BAD - 1], bad, *_MOVED[_BAD + 1 :])
    kept = set(keep_last_good(free, _BEFORE).slots) - set(free.schedule.slots)
    assert kept == {slot for slot in _BEFORE if slot.broadcast_pid == _BAD_PID}


def test_what_was_unusable_is_committed_with_the_source() -> None:
    """The provenance survives the store; a sound document has none in its bytes."""
    found = _with_bad(_listed(_BAD, end=None), _listed(30, is_signed=1))
    sound = render_accepted(accept(_parsed(*_MOVED).schedule))

    stored = parse_accepted(render_accepted(accept(found.schedule, found.quarantined, found.mended)))

    assert (stored.quarantined, stored.mended) == (found.quarantined, found.mended)
    assert stored.mended
    assert b"quarantined" not in sound
    assert b"mended" not in sound


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_fields = st.sampled_from(sorted(_listed(0)))
_times = st.sampled_from(["2026-01-15T24:00:00Z", "9999-12-31T24:00:00Z", "0001-01-01T00:00:00+14:00", ""])
_mutated = st.one_of(
    _json,
    st.dictionaries(_fields, _json | _times, min_size=1, max_size=4).map(
        lambda changes: _listed(_BAD) | changes
    ),
    st.sets(_fields, max_size=9).map(
        lambda left_out: {name: value for name, value in _listed(_BAD).items() if name not in left_out}
    ),
)


@given(_mutated)
def test_a_mutated_broadcast_never_changes_the_others(bad: Any) -> None:
    """Whatever stands in the place of one broadcast, the others are read as without it."""
    found = _with_bad(bad)

    slots = _slots(found)
    assert _OTHERS.items() <= slots.items()
    assert len(slots) + len(found.quarantined) == len(_OTHERS) + 1
    assert len(found.schedule.slots) == len(slots)
