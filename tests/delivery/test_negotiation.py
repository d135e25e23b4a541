"""Which of several offers is taken, by the fields of RFC 9110."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.delivery.negotiation import choose_coding, choose_media_type
from schedules_pipeline.delivery.packing import Coding

_OFFERS = ("application/json", "application/xml", "text/xml")
_JAVA = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("text/*", "text/xml"),
        ("application/xml", "application/xml"),
        ("APPLICATION/XML", "application/xml"),
        ("application/xml;charset=utf-8", "application/xml"),
        ("application/xml;q=0.5, application/json;q=0.4", "application/xml"),
        ("application/xml;q=0.5, */*", "application/json"),
        ("application/json;q=0, */*", "application/xml"),
        ("application/*;q=0.2, text/*;q=0.3", "text/xml"),
        ("application/json;q=0.1, application/*;q=0.9", "application/xml"),
        ("audio/basic, text/xml;q=0.001", "text/xml"),
        (" , ,application/xml", "application/xml"),
        (_JAVA, "application/json"),
        ("audio/basic", None),
        ("application/json;q=0, application/xml;q=0, text/xml;q=0", None),
        ("*/*;q=0", None),
        ("text", None),
        ("application/xml;q=high", None),
        ("application/xml;q=nan", None),
        ("application/xml;q=-1, text/xml;q=0.1", "text/xml"),
        ("application/xml;q=inf, text/xml;q=0.1", "text/xml"),
    ],
)
def test_media_type_is_the_one_of_greatest_weight(accept: str, chosen: str | None) -> None:
    """The most specific range that covers an offer gives its weight; equal weights take the server's order; an excluded
    type is not chosen.
    """
    assert choose_media_type(accept, _OFFERS) == chosen


@pytest.mark.parametrize(
    ("accept_encoding", "chosen"),
    [
        ("", Coding.IDENTITY),
        ("compress", Coding.IDENTITY),
        ("gzip", Coding.GZIP),
        ("gzip, zstd", Coding.ZSTD),
        ("GZIP", Coding.GZIP),
        ("*", Coding.ZSTD),
        ("zstd;q=0, *", Coding.GZIP),
        ("gzip;q=1.0, zstd;q=0.5", Coding.GZIP),
        ("gzip;q=0", Coding.IDENTITY),
        ("gzip;q=0.5, identity;q=1", Coding.IDENTITY),
        ("identity;q=0.5, *;q=0", Coding.IDENTITY),
        ("*;q=0", Coding.IDENTITY),
        ("identity;q=0", Coding.IDENTITY),
        ("gzip;q=nan", Coding.IDENTITY),
        ("gzip, deflate, br, zstd", Coding.ZSTD),
    ],
)
def test_coding_is_the_smallest_of_greatest_weight(accept_encoding: str, chosen: Coding) -> None:
    """What weighs most is taken, of equals the smallest, and the plain bytes where nothing else may be."""
    assert choose_coding(accept_encoding) is chosen


@given(st.text(max_size=400))
def test_any_field_is_answered(field: str) -> None:
    """For any text in these fields, the result is one of the offers or None."""
    assert choose_media_type(field, _OFFERS) in (*_OFFERS, None)
    assert choose_coding(field) in Coding


def test_only_the_beginning_of_a_long_field_counts() -> None:
    """A field of any length is answered by its first thousand characters."""
    field = "text/xml;q=0.5," + "audio/basic," * 100_000 + "application/xml"

    assert choose_media_type(field, _OFFERS) == "text/xml"
