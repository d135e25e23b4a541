"""Server-sent events, cut anywhere."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schedules_client.event_stream import EventStream, ServerEvent

_STREAM = (
    "\ufeffretry: 2000\n\n: a comment\n\nid: 1\r\nevent: change\r\n"
    'data: {"name":\r\ndata:"caf\u00e9 \U0001f600"}\r\n\r\n'
    "id: 2\r\rid\ndata\n\nid: with\0nul\ndata: x\n\nunknown: y\nretry: never\n\n"
).encode()
_EVENTS = [
    ServerEvent("", "message", "", 2.0),
    ServerEvent("1", "change", '{"name":\n"caf\u00e9 \U0001f600"}'),
    ServerEvent("2", "message", ""),
    ServerEvent("", "message", ""),
    ServerEvent("", "message", "x"),
    ServerEvent("", "message", ""),
]


@given(st.lists(st.integers(0, len(_STREAM)), max_size=10))
def test_cuts_change_nothing(cuts: list[int]) -> None:
    """Line ends of three kinds, characters of several bytes, and an id without data, which moves the position."""
    stream, places = EventStream(), [0, *sorted(cuts), len(_STREAM)]

    events = [event for begin, end in pairwise(places) for event in stream.feed(_STREAM[begin:end])]

    assert events == _EVENTS


def test_a_line_without_end_is_an_error() -> None:
    """It would fill the memory."""
    with pytest.raises(ValueError, match="no end"):
        EventStream().feed(b"data: " + b"x" * 1_000_001)
