"""Causes of a rebuild as lines of JSON, read back as written."""

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.documents.cause import parse_cause, render_cause
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import Pid

_AT = datetime(2026, 1, 10, 9, 30, 0, 120, tzinfo=UTC)

_causes = st.builds(
    Cause,
    st.text(),
    st.sampled_from(Origin),
    st.text(),
    st.datetimes(timezones=st.just(UTC)),
    st.lists(st.text()).map(tuple),
)


def test_cause_is_one_line() -> None:
    """A cause is written as one object with its version."""
    line = render_cause(Cause("message-1", Origin.CATALOGUE, Pid("b0000001"), _AT, ("title",)))

    assert line == (
        b'{"event_id":"message-1","origin":"catalogue","subject":"b0000001",'
        b'"notified_at":"2026-01-10T09:30:00.000120Z","changed":["title"],"v":2}'
    )


@pytest.mark.parametrize("changed", [(), ("title", "synopses.short")])
def test_cause_of_release_0_1_0_is_read(changed: tuple[str, ...]) -> None:
    """Release 0.1.0 wrote a cause as a list, which ends with the names of the changed fields."""
    line = orjson.dumps(["message-1", "catalogue", "b0000001", "2026-01-10T09:30:00.000120+00:00", *changed])

    assert parse_cause(line) == Cause("message-1", Origin.CATALOGUE, "b0000001", _AT, changed)


def test_cause_of_an_unknown_origin_is_read() -> None:
    """An origin that a newer release has added reads as another one, and fails no build."""
    line = render_cause(Cause("message-1", Origin.CATALOGUE, "b0000001", _AT))

    assert parse_cause(line.replace(b'"catalogue"', b'"forecast"')).origin is Origin.OTHER


@given(_causes)
def test_cause_is_read_back(cause: Cause) -> None:
    """A written cause is read back as the same cause, and is one line with any texts."""
    line = render_cause(cause)

    assert parse_cause(line) == cause
    assert b"\n" not in line


@pytest.mark.parametrize("origin", Origin)
def test_cause_of_each_origin_is_read_back(origin: Origin) -> None:
    """Each origin that there is survives being written."""
    line = render_cause(Cause("run-1", origin, "alder_one_north/2026-01-15", _AT))

    assert parse_cause(line).origin is origin
