"""Safe texts, instants, durations and counts."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.cli.wording import ago, clock, counted, duration, local, printable

_LONDON = ZoneInfo("Europe/London")


@given(st.text())
def test_printable_text_is_one_line_without_control_characters(text: str) -> None:
    """Every text becomes printable and encodable."""
    shown = printable(text)

    assert shown.isprintable()
    assert shown.encode().decode() == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Salt & Slate: café 🎬", "Salt & Slate: café 🎬"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\u200fabc\u202e", "\\u200fabc\\u202e"),
        ("\x9b31m", "\\x9b31m"),
        (7, "7"),
        (None, "None"),
    ],
)
def test_control_characters_are_escaped(text: object, shown: str) -> None:
    """Also line ends and direction marks; readable characters stay."""
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (0.4237, "0.42 s"),
        (9.99, "9.99 s"),
        (12.9, "12 s"),
        (200, "3 min 20 s"),
        (5 * 3600 + 600, "5 h 10 min"),
        (26 * 3600, "1 day 2 h"),
        (timedelta(days=3, hours=4, minutes=59), "3 days 4 h"),
        (-75, "-1 min 15 s"),
    ],
)
def test_durations_have_two_units(length: float | timedelta, words: str) -> None:
    """The two greatest units, and a fraction below ten seconds."""
    assert duration(length) == words


def test_instants_are_worded_in_local_time() -> None:
    """With the zone's name at that instant."""
    winter, summer = datetime(2026, 1, 15, 12, tzinfo=UTC), datetime(2026, 7, 15, 12, tzinfo=UTC)

    assert local(winter, _LONDON) == "15 Jan 2026 12:00:00 GMT"
    assert local(summer, _LONDON) == "15 Jul 2026 13:00:00 BST"
    assert clock(summer, _LONDON) == "13:00"
    assert ago(winter, winter + timedelta(minutes=2)) == "2 min 0 s ago"


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 schedules"), (1, "1 schedule"), (2, "2 schedules"), (1204, "1,204 schedules")],
)
def test_counts_are_worded(number: int, words: str) -> None:
    """One is singular, every other number plural."""
    assert counted(number, "schedule") == words
