"""A text of invisible characters alone is no text."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.documents.xmltv import written
from schedules_pipeline.domain.visible import visible_or_empty

_INVISIBLE_CATEGORIES = {"Cc", "Cf", "Cs", "Zs", "Zl", "Zp"}


def test_controls_spaces_and_format_marks_are_blank() -> None:
    """Every character of these categories, of all that Unicode has."""
    invisible = (char for char in map(chr, range(sys.maxunicode + 1)) if _is_invisible(char))

    assert not [hex(ord(char)) for char in invisible if visible_or_empty(char)]


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) in _INVISIBLE_CATEGORIES


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


@pytest.mark.parametrize(
    "code_point",
    [
        *(
            0x00AD,
            0x034F,
            0x115F,
            0x1160,
            0x17B4,
            0x180B,
            0x180E,
            0x200B,
            0x2060,
            0x2800,
            0x3164,
            0xFE0F,
            0xFEFF,
        ),
        *(0xFFA0, 0xFFF0, 0xFFFE, 0xFFFF, 0xE0001, 0xE0100, 0xE01EF),
    ],
    ids=hex,
)
def test_fillers_selectors_and_their_kind_are_blank(code_point: int) -> None:
    """Alone, repeated and among spaces."""
    char = chr(code_point)

    assert [visible_or_empty(text) for text in (char, char * 3, f" {char}\n")] == ["", "", ""]
    assert visible_or_empty(f"{char}a") == f"{char}a"


def test_every_other_assigned_character_is_visible() -> None:
    """No letter, mark, number, sign or symbol is lost, but those that Unicode tells displays to leave out."""
    lost = [
        char
        for char in map(chr, range(sys.maxunicode + 1))
        if unicodedata.category(char)[0] in "LMNPS" and not visible_or_empty(char)
    ]

    names = {unicodedata.name(char).rstrip("0123456789-") for char in lost}
    assert names == {
        "COMBINING GRAPHEME JOINER",
        "HANGUL CHOSEONG FILLER",
        "HANGUL JUNGSEONG FILLER",
        "HANGUL FILLER",
        "HALFWIDTH HANGUL FILLER",
        "KHMER VOWEL INHERENT AQ",
        "KHMER VOWEL INHERENT AA",
        "MONGOLIAN FREE VARIATION SELECTOR ONE",
        "MONGOLIAN FREE VARIATION SELECTOR TWO",
        "MONGOLIAN FREE VARIATION SELECTOR THREE",
        "MONGOLIAN FREE VARIATION SELECTOR FOUR",
        "BRAILLE PATTERN BLANK",
        "VARIATION SELECTOR",
    }


@given(st.text())
def test_what_is_not_blank_can_be_written_in_xml(text: str) -> None:
    """So the XML formats, which leave out what XML cannot hold, show a text wherever JSON does."""
    assert not visible_or_empty(text) or written(text)
