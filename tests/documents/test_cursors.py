"""Cursors: the text that a partner stores, and other texts that it may send."""

from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.documents.cursors import MAXIMUM_LENGTH, FeedCursor, parse_cursor, render_cursor
from schedules_pipeline.errors import InvalidIdentifier
from schedules_pipeline.publishing.ports.feed import place

_NUMBERS = st.integers(0, 2**64 - 1)
_POSITIONS = _NUMBERS.map(str) | st.tuples(_NUMBERS, _NUMBERS).map(lambda parts: f"{parts[0]}-{parts[1]}")
_EPOCHS = st.text(st.characters(codec="ascii"), max_size=60)


def _encoded(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


@given(epoch=_EPOCHS, position=_POSITIONS)
def test_cursor_reads_back(epoch: str, position: str) -> None:
    """A cursor of any position and epoch is parsed back to them, and fits into its parameter."""
    extent = FeedCursor(epoch, position)

    cursor = render_cursor(extent)

    assert parse_cursor(cursor) == extent
    assert len(cursor) <= MAXIMUM_LENGTH
    assert cursor.replace("-", "").replace("_", "").isalnum()


@given(st.text(max_size=300))
def test_any_text_is_a_cursor_of_ours_or_rejected(text: str) -> None:
    """An accepted text is exactly the rendering of its cursor; any other text raises the documented error."""
    try:
        extent = parse_cursor(text)
    except InvalidIdentifier:
        return

    assert render_cursor(extent) == text
    assert place(extent.position)


@given(st.text(max_size=60))
def test_any_text_in_our_coding_is_a_cursor_of_ours_or_rejected(text: str) -> None:
    """The same for texts in the encoding of cursors."""
    cursor = urlsafe_b64encode(text.encode("utf-8", "replace")).decode().rstrip("=")

    try:
        extent = parse_cursor(cursor)
    except InvalidIdentifier:
        return

    assert render_cursor(extent) == cursor


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not a cursor",
        "MXwx=",
        "MXwxfA==",
        _encoded("2|1|"),
        _encoded("1|1"),
        _encoded("1|-1|"),
        _encoded("1|1-|"),
        _encoded("1|1-2-3|"),
        _encoded("1|\N{ARABIC-INDIC DIGIT ONE}|"),
        _encoded(f"1|{2**64}|"),
        _encoded(f"1|5-{2**64}|"),
        "\ud800",
        "é",
    ],
)
def test_what_was_never_given_is_rejected(text: str) -> None:
    """A text is rejected if it names no position of a feed, even if it is encoded like a cursor."""
    with pytest.raises(InvalidIdentifier, match="not a cursor of this service"):
        parse_cursor(text)
