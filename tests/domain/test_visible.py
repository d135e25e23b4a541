"""A text of invisible characters alone is no text."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.domain.visible import visible_or_empty


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "\t\n",
            "\u00a0",
            "\u200b",
            "\u00ad",
            "\ufeff",
            "\u2060",
            "\u180e",
            "\u200e\u200f",
            "\u2028",
        ),
        *(
            "\u3000",
            "\u115f",
            "\u1160",
            "\u3164",
            "\uffa0",
            "\u2800",
            "\ufe0f",
            "\U000e0100",
            "\u034f",
            "\x00",
        ),
        " \u200b\u00ad\u3164 ",
    ],
)
def test_what_shows_nothing_is_empty(text: str) -> None:
    """Alone or together."""
    assert visible_or_empty(text) == ""


@pytest.mark.parametrize(
    "text", ["a", " a", "\u200ba\u200b", ".", "0", "\u00b7", "\u4e2d", "\U0001f4fa", "\u200b\u00e9"]
)
def test_what_shows_anything_stays_as_it_is(text: str) -> None:
    """No invisible character of it is removed."""
    assert visible_or_empty(text) == text


@given(st.text())
def test_a_text_stays_or_becomes_empty(text: str) -> None:
    """It is empty only if every character is a space, a control, a format, or among the fillers and selectors."""
    found = visible_or_empty(text)

    assert found in (text, "")
    if found != text:
        assert {unicodedata.category(char) for char in text} <= {
            "Cc",
            "Cf",
            "Zs",
            "Zl",
            "Zp",
            "Mn",
            "Lo",
            "So",
        }
