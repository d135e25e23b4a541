"""The XMLTV import: encodings, unknown elements, and files that are rejected."""

from collections.abc import Callable
from io import BytesIO
from types import GeneratorType
from typing import Any

import pytest
from documents.xmltv_imports import imported_from, programme_element, tv_document

from schedules_pipeline.documents.xmltv_reader import Reading, read_elements
from schedules_pipeline.errors import InvalidDocument


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode(),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: ('<?xml version="1.0" encoding="ISO-8859-1"?>' + text).encode("latin-1"),
        lambda text: ('<?xml version="1.0" encoding="windows-1252"?>' + text).encode("cp1252"),
        lambda text: ('<?xml version="1.0"?>\n<!DOCTYPE tv SYSTEM "xmltv.dtd">\n' + text).encode(),
    ],
    ids=["utf-8", "with a byte order mark", "utf-16", "latin-1", "windows-1252", "with a doctype"],
)
def test_every_declared_encoding_is_read(encode: Callable[[str], bytes]) -> None:
    """A byte order mark, a declaration, and a DTD that is named but not there."""
    text = tv_document(programme_element(inside="<title>Caf\u00e9 &amp; <![CDATA[<b>]]></title>")).decode()

    (item,) = imported_from(encode(text)).catalogue.values()

    assert item["title"] == "Caf\u00e9 & <b>"


def test_what_is_not_known_is_passed_over() -> None:
    """Foreign elements, comments and processing instructions, anywhere in the file."""
    inside = "<x:thing xmlns:x='urn:x'/><!-- a --><title>Salt<!-- b --> and Slate</title><title><b>Other</b></title>"

    imported = imported_from(
        tv_document("<!-- c --><?d e?><strange><programme/></strange>", programme_element(inside=inside))
    )

    assert [item["title"] for item in imported.catalogue.values()] == ["Salt and Slate"]


_LAUGHS = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "content",
    [
        b'<!DOCTYPE tv [<!ENTITY a0 "ha">' + _LAUGHS.encode() + b"]><tv><channel id='x'>&a9;</channel></tv>",
        b'<!DOCTYPE tv [<!ENTITY a0 "ha">' + _LAUGHS.encode() + b"]><tv date='&a9;'></tv>",
        b'<!DOCTYPE tv [<!ENTITY a0 "ha">' + _LAUGHS.encode() + b"]><tv><channel id='&a9;'/></tv>",
        b'<!DOCTYPE tv [<!ENTITY x SYSTEM "file:///etc/hostname">]><tv><channel id="x">&x;</channel></tv>',
        b'<!DOCTYPE tv [<!ENTITY % x SYSTEM "file:///etc/hostname"> %x;]><tv></tv>',
    ],
    ids=["billion laughs", "in an attribute of the root", "in an attribute", "a file", "a parameter entity"],
)
def test_entities_are_rejected(content: bytes) -> None:
    """They are neither expanded nor fetched."""
    with pytest.raises(InvalidDocument, match=r"declares entities|not well-formed"):
        imported_from(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04",
        b"{}",
        b"<html></html>",
        b"<tv><channel>",
        b"<tv></tv><tv></tv>",
        b"<tv>\xff</tv>",
        b"<tv>\x00</tv>",
    ],
)
def test_what_is_no_guide_is_rejected(content: bytes) -> None:
    """With one line that says so."""
    with pytest.raises(
        InvalidDocument, match=r"^the guide is not well-formed XML: .+|^not an XMLTV guide: .+"
    ):
        imported_from(content)


def test_a_guide_that_is_cut_off_is_rejected() -> None:
    """Half a guide would take the other half off the air."""
    content = tv_document(*(programme_element() for _ in range(5_000)))

    with pytest.raises(InvalidDocument, match="not well-formed"):
        imported_from(content[:-20])


def test_a_guide_above_the_limit_is_rejected() -> None:
    """The size of a compressed guide is that of its unpacked bytes."""
    elements = read_elements(
        BytesIO(tv_document(*(programme_element() for _ in range(2_000)))), Reading(maximum_bytes=100_000)
    )

    with pytest.raises(InvalidDocument, match="larger than 100,000 bytes"):
        list(elements)


@pytest.mark.slow
def test_an_element_without_an_end_is_not_held() -> None:
    """One that is larger than any real one is refused before it fills the memory."""
    content = b"<tv><programme>" + b"<title>x</title>" * 400_000

    with pytest.raises(InvalidDocument, match="without a second channel"):
        imported_from(content)


@pytest.mark.slow
def test_no_more_than_a_few_elements_are_held() -> None:
    """Elements below the root, also unknown ones, are released soon after they are read."""
    content = tv_document(*("<strange>x</strange>" * 10 + programme_element() for _ in range(20_000)))
    elements = read_elements(BytesIO(content), Reading())
    assert isinstance(elements, GeneratorType)
    frame: Any = elements.gi_frame

    held = [len(frame.f_locals["root"]) for _ in elements]

    assert len(held) == 20_002
    assert max(held) < 5_000
