"""Guides that are no XML, and what is read of them when they are mended."""

from dataclasses import replace
from io import BytesIO

import pytest
from documents.xmltv_guides import guides
from documents.xmltv_imports import RULES, imported_from, programme_element, tv_document
from hypothesis import given
from hypothesis import strategies as st
from renderers import render_xmltv

from schedules_pipeline.documents.xmltv_reader import Remark
from schedules_pipeline.documents.xmltv_repair import Repaired
from schedules_pipeline.domain.service_guide import ServiceGuide
from schedules_pipeline.errors import InvalidDocument

_REPAIRING = replace(RULES, repairs=True)


def _with_title(title: bytes) -> bytes:
    return tv_document(programme_element(inside="<title>HERE</title>")).replace(b"HERE", title)


@pytest.mark.parametrize(
    ("written", "read", "remark"),
    [
        (b"Caf\xe9", "Caf\u00e9", Remark.MENDED_BYTE),
        (b"Salt \x93and\x94 Slate", "Salt \u201cand\u201d Slate", Remark.MENDED_BYTE),
        (b"Salt\x00", "Salt", Remark.MENDED_BYTE),
        (b"Tom & Jerry", "Tom & Jerry", Remark.MENDED_AMPERSAND),
        (b"R&B", "R&B", Remark.MENDED_AMPERSAND),
        (b"Caf&eacute;", "Caf\u00e9", Remark.MENDED_ENTITY),
        (b"&nothing;", "&nothing;", Remark.MENDED_ENTITY),
    ],
)
def test_what_is_no_xml_is_mended_if_asked_for(written: bytes, read: str, remark: Remark) -> None:
    """Otherwise the guide is rejected. Repairs are counted."""
    with pytest.raises(InvalidDocument, match="not well-formed"):
        imported_from(_with_title(written))

    imported = imported_from(_with_title(written), _REPAIRING)

    assert [item["title"] for item in imported.catalogue.values()] == [read]
    assert set(imported.remarks) == {remark}


def test_what_is_right_stays() -> None:
    """References, CDATA and comments, also in another encoding."""
    title = "&amp;&#233;&#xe9;<![CDATA[ & &x; ]]><!-- & &y; -->"
    content = b'<?xml version="1.0" encoding="ISO-8859-1"?>' + _with_title(title.encode() + b"\xe9")

    imported = imported_from(content, _REPAIRING)

    assert [item["title"] for item in imported.catalogue.values()] == ["&\u00e9\u00e9 & &x; \u00e9"]
    assert not imported.remarks


@given(guides(), st.integers(1, 200))
def test_a_sound_guide_passes_unchanged(made: list[ServiceGuide], size: int) -> None:
    """Byte for byte, in pieces of any size."""
    content, remarks = render_xmltv(made, domain="alder.example"), list[Remark]()

    repaired = Repaired(BytesIO(content), remarks.append)

    assert b"".join(iter(lambda: repaired.read(size), b"")) == content
    assert not remarks


@given(
    st.lists(
        st.sampled_from(
            [
                b"&",
                b"&amp;",
                b"&eacute;",
                b"&x",
                b"\xe9",
                "é".encode(),
                b"<![CDATA[&]]>",
                b"<!--&-->",
                b"a",
                b";",
            ]
        )
    ),
    st.integers(1, 50),
)
def test_pieces_make_no_difference(parts: list[bytes], size: int) -> None:
    """What is mended does not depend on where the stream is cut, and can be parsed."""
    content = _with_title(b"x" + b"".join(parts))

    whole, cut = (
        b"".join(iter(lambda: repaired.read(each), b""))  # noqa: B023 - used at once
        for each in (1_000_000, size)
        for repaired in [Repaired(BytesIO(content), lambda _: None)]
    )

    assert whole == cut
    assert imported_from(whole).schedules


def test_entities_are_not_declared_by_a_mended_guide() -> None:
    """Declarations are rejected as ever."""
    content = b'<!DOCTYPE tv [<!ENTITY x "&">]><tv><channel id="&x;"/></tv>'

    with pytest.raises(InvalidDocument):
        imported_from(content, _REPAIRING)
