"""The documents of the old system: reading them, and rejecting invalid ones."""

from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.errors import InvalidDocument
from schedules_pipeline.migration.legacy_document import LegacySchedule, parse_legacy_document

_KEY = ScheduleKey(Sid("alder_one_north"), date(2026, 1, 15))
_BROADCASTS = [{"broadcast_pid": "p0000001", "title": "Quiet Viaduct", "episode": None}]


def _document(generated_at: Any = "2026-01-10T09:30:00.000120Z", broadcasts: Any = _BROADCASTS) -> bytes:
    schedule = {"sid": "alder_one_north", "date": "2026-01-15", "broadcasts": broadcasts}
    return orjson.dumps({"generated_at": generated_at, "schedule": schedule})


def test_legacy_document_is_read() -> None:
    """The time of generation is read to the microsecond, and the broadcasts unchanged."""
    legacy = parse_legacy_document(_document())

    assert legacy == LegacySchedule(datetime(2026, 1, 10, 9, 30, 0, 120, tzinfo=UTC), _BROADCASTS)


def test_legacy_document_is_read_at_any_offset() -> None:
    """A time of generation with another offset is converted to UTC."""
    legacy = parse_legacy_document(_document("2026-07-10T10:30:00+01:00"))

    assert (legacy.generated_at, legacy.generated_at.tzinfo) == (
        datetime(2026, 7, 10, 9, 30, tzinfo=UTC),
        UTC,
    )


def test_legacy_document_without_broadcasts_is_read() -> None:
    """A schedule of the old system may be empty."""
    legacy = parse_legacy_document(_document(broadcasts=[]))

    assert legacy.broadcasts == []


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="no bytes"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"\xff", id="not UTF-8"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="list"),
        pytest.param(b'"text"', id="text"),
        pytest.param(b"{}", id="empty object"),
        pytest.param(b'{"generated_at":"2026-01-10T09:30:00Z"}', id="no schedule"),
        pytest.param(b'{"generated_at":"2026-01-10T09:30:00Z","schedule":null}', id="schedule null"),
        pytest.param(b'{"generated_at":"2026-01-10T09:30:00Z","schedule":[]}', id="schedule a list"),
        pytest.param(
            b'{"generated_at":"2026-01-10T09:30:00Z","schedule":{}}', id="schedule without broadcasts"
        ),
        pytest.param(b'{"schedule":{"broadcasts":[]}}', id="no instant"),
        pytest.param(_document(generated_at=None), id="instant null"),
        pytest.param(_document(generated_at=1768464000), id="instant a number"),
        pytest.param(_document(generated_at="soon"), id="not an instant"),
        pytest.param(_document(generated_at="2026-01-10T09:30:00"), id="naive instant"),
        pytest.param(_document(generated_at="2026-01-10"), id="only a date"),
        pytest.param(_document(generated_at="0001-01-01T00:00:00+14:00"), id="before year 1"),
        pytest.param(_document(broadcasts=None), id="broadcasts null"),
        pytest.param(_document(broadcasts={"p0000001": {}}), id="broadcasts an object"),
        pytest.param(_document(broadcasts="none"), id="broadcasts a text"),
        pytest.param(_document(broadcasts=[{}, None]), id="broadcast null"),
        pytest.param(_document(broadcasts=[["p0000001"]]), id="broadcast a list"),
        pytest.param(_document(generated_at="x" * 10_000), id="long text"),
    ],
)
def test_legacy_document_rejects(content: bytes) -> None:
    """Documents that the old system could not have written are rejected, in a few words that name the schedule."""
    with pytest.raises(InvalidDocument) as rejected:
        parse_legacy_document(content)

    assert str(rejected.value).startswith("the old system's document cannot be read: ")
    assert len(str(rejected.value)) < 300


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


@given(st.sampled_from(["generated_at", "broadcasts"]), _json)
def test_legacy_document_is_read_or_rejected(field: str, value: object) -> None:
    """For any values of the two fields, the document is read or rejected as invalid."""
    content = _document(**{field: value})

    try:
        outcome: object = parse_legacy_document(content)
    except InvalidDocument as error:
        outcome = error

    assert isinstance(outcome, (LegacySchedule, InvalidDocument))
