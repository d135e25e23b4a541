"""Causes of a rebuild as lines of JSON: what is written is read back."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.documents.cause import cause_fields, parse_cause, read_cause, render_cause
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
    """A cause is written as a list of its event, origin, subject and instant."""
    line = render_cause(Cause("message-1", Origin.CATALOGUE, Pid("b0000001"), _AT))

    assert line == b'["message-1","catalogue","b0000001","2026-01-10T09:30:00.000120+00:00"]'


@given(_causes)
def test_cause_is_read_back(cause: Cause) -> None:
    """What is written of a cause is read back as the same cause, and is one line whatever its texts."""
    line = render_cause(cause)

    assert parse_cause(line) == cause
    assert b"\n" not in line


@given(_causes)
def test_cause_is_read_back_from_its_fields(cause: Cause) -> None:
    """The fields of a cause, as they stand within another document, are read back as the same cause."""
    fields = cause_fields(cause)

    assert read_cause(list(fields)) == cause


@pytest.mark.parametrize("origin", Origin)
def test_cause_of_each_origin_is_read_back(origin: Origin) -> None:
    """Each origin that there is survives being written."""
    line = render_cause(Cause("run-1", origin, "alder_one_north/2026-01-15", _AT))

    assert parse_cause(line).origin is origin
