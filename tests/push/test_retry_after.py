"""The header ``Retry-After``: seconds, a date, or an invalid text."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.push.retry_after import parse_retry_after

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("Sat, 28 Mar 2026 12:01:00 GMT", 60),
        ("Sat, 28 Mar 2026 13:01:00 +0100", 60),
        ("Sat, 28 Mar 2026 12:01:00 -0000", 60),
        ("Sat, 28 Mar 2026 11:59:00 GMT", 0),
        ("", 0),
        ("-5", 0),
        ("1.5", 0),
        ("soon", 0),
        ("²", 0),
        ("Sat, 99 Mar 2026 12:01:00 GMT", 0),
    ],
)
def test_a_header_is_parsed(text: str, seconds: int) -> None:
    """An invalid text and a past date are no wait."""
    assert parse_retry_after(text, _NOW) == timedelta(seconds=seconds)


@given(text=st.one_of(st.text(), st.text("0123456789 :+-,GMTSatMr"), st.integers().map(str)))
def test_every_text_gives_a_wait(text: str) -> None:
    """The wait is never negative."""
    assert parse_retry_after(text, _NOW) >= timedelta(0)
