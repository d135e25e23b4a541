"""The schedule of a DVB-I content guide: titles, synopses, images and groups of programmes."""

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import BRAND, SERIES
from documents.tv_anytime_by_lxml import render_by_lxml
from documents.tv_anytime_guides import (
    ALDER,
    BIRCH,
    BLANKED,
    EPISODE,
    NAMES,
    NAMING,
    SHOWING,
    SIX,
    TEMPLATE,
    UNKNOWN,
    guide_with,
    render_valid,
    texts_of,
    values_of,
)
from documents.xmltv_guides import guides
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from schedules_pipeline.documents.tv_anytime import (
    GuideNaming,
    Rendition,
    fit,
    render_tv_anytime,
)
from schedules_pipeline.domain.catalogue import NO_SYNOPSES, Synopses
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.domain.programme import TitledItem
from schedules_pipeline.domain.service_guide import ServiceGuide


def _titles(root: etree._Element) -> list[tuple[str, str]]:
    return [(element.get("type", ""), element.text or "") for element in root.iterfind(".//Title", NAMES)]


def _synopses(root: etree._Element) -> dict[str, str]:
    return {element.get("length", ""): element.text or "" for element in root.iterfind(".//Synopsis", NAMES)}


def test_unknown_episode_keeps_its_name_and_says_that_it_has_no_title() -> None:
    """An episode that the catalogue lacks is called by its own CRID, so that a partner knows it again later."""
    root = render_valid(guide_with(UNKNOWN))

    assert values_of(root, "Program", "crid") == ["crid://schedules.example/p0000001"]
    assert (_titles(root), _synopses(root)) == ([("main", "To be announced")], {"medium": "To be announced"})


def test_broadcast_of_no_episode_has_a_programme_of_its_own() -> None:
    """A slot that is not blanked but names no episode is as unknown as one whose episode is."""
    root = render_valid(guide_with(replace(UNKNOWN, episode_pid=None)))

    assert values_of(root, "Program", "crid") == ["crid://schedules.example/broadcast/w0000001"]
    assert _titles(root) == [("main", "To be announced")]


@pytest.mark.parametrize(
    ("series", "brand", "expected"),
    [
        pytest.param(SERIES, BRAND, ["crid://schedules.example/s0000001"], id="the series before the brand"),
        pytest.param(None, BRAND, ["crid://schedules.example/b0000001"], id="the brand alone"),
        pytest.param(SERIES, None, ["crid://schedules.example/s0000001"], id="the series alone"),
        pytest.param(None, None, [], id="neither"),
    ],
)
def test_episode_is_one_of_its_nearest_group(
    series: TitledItem | None, brand: TitledItem | None, expected: list[str]
) -> None:
    """There is room for one group: the series, or the brand of an episode that is in none."""
    root = render_valid(guide_with(replace(SHOWING, series=series, brand=brand)))

    assert values_of(root, "EpisodeOf", "crid") == expected


@pytest.mark.parametrize(
    ("title", "subtitle", "expected"),
    [
        pytest.param("Quiet Viaduct", "", [("main", "Quiet Viaduct")], id="no subtitle"),
        pytest.param("", "", [("main", "To be announced")], id="no title"),
        pytest.param(" \t", "Part 1", [("main", "To be announced")], id="a title of blanks"),
        pytest.param("A\x00B\ud800\uffff", "", [("main", "A B")], id="what XML cannot hold"),
        pytest.param("Tea & <b>", "]]>\x1b", [("main", "Tea & <b>"), ("secondary", "]]>")], id="markup"),
        pytest.param("A" * 81, "B" * 80, [("main", "A" * 79 + "…"), ("secondary", "B" * 80)], id="too long"),
    ],
)
def test_titles_are(title: str, subtitle: str, expected: list[tuple[str, str]]) -> None:
    """A programme has a main title, and a secondary one only beside it; neither is longer than 80 characters."""
    root = render_valid(guide_with(replace(SHOWING, title=title, subtitle=subtitle)))

    assert _titles(root) == expected


def test_title_that_stands_for_another_is_in_english() -> None:
    """In a guide of another language it is marked as English, and the programme's own titles are not."""
    naming = GuideNaming("schedules.example", "2024-05", "cy")
    shown = guide_with(BLANKED, replace(SHOWING, broadcast_pid=Pid("w0000002")))

    root = etree.fromstring(render_tv_anytime([shown], naming))

    language = "{http://www.w3.org/XML/1998/namespace}lang"
    assert root.get(language) == "cy"
    assert values_of(root, "Title", language) == ["en", "", ""]


@pytest.mark.parametrize(
    ("synopses", "expected"),
    [
        pytest.param(
            Synopses("S.", "M.", "L."), {"short": "S.", "medium": "M."}, id="no room for the long one"
        ),
        pytest.param(
            Synopses("S.", "", "L."), {"short": "S.", "medium": "S."}, id="the short one for the medium"
        ),
        pytest.param(Synopses("", "", "L."), {"medium": "L."}, id="the long one for the medium"),
        pytest.param(NO_SYNOPSES, {"medium": "Series 2: The Lantern"}, id="the title, if there is none"),
        pytest.param(
            Synopses("so " * 40, "so " * 100, ""),
            {"short": "so " * 29 + "so…", "medium": "so " * 82 + "so…"},
            id="too long",
        ),
    ],
)
def test_synopses_are(synopses: Synopses, expected: dict[str, str]) -> None:
    """The medium one is always there, and neither is longer than the standard's table 42 allows."""
    root = render_valid(guide_with(replace(SHOWING, episode=replace(EPISODE, synopses=synopses))))

    assert _synopses(root) == expected


@pytest.mark.parametrize(
    ("text", "maximum", "expected"),
    [
        ("", 4, ""),
        ("four", 4, "four"),
        ("fives", 4, "fiv…"),
        ("ab cd", 4, "ab…"),
        ("abc def", 4, "abc…"),
        ("abcd ef", 5, "abcd…"),
        ("abcde f", 5, "abcd…"),
    ],
)
def test_text_is_cut_between_words(text: str, maximum: int, expected: str) -> None:
    """Only a text that is too long is cut, between words where it has any, and its ellipsis is within the limit."""
    assert fit(text, maximum) == expected


@pytest.mark.parametrize(
    ("template", "image_pid", "expected"),
    [
        pytest.param(TEMPLATE, "p0000009", "https://images.example/p0000009.jpg", id="jpeg"),
        pytest.param("https://i.example/{image_pid}.PNG?w=9", "p9", "https://i.example/p9.PNG?w=9", id="png"),
        pytest.param(TEMPLATE, "a b/é&<", "https://images.example/a%20b%2F%C3%A9%26%3C.jpg", id="encoded"),
        pytest.param("https://i.example/{image_pid}", "p0000009", None, id="no telling what type it is"),
        pytest.param(
            "https://i.example/{image_pid}.webp", "p0000009", None, id="a type that DVB-I does not take"
        ),
        pytest.param(TEMPLATE, "", None, id="no image"),
        pytest.param("", "p0000009", None, id="no template"),
    ],
)
def test_image_is(template: str, image_pid: str, expected: str | None) -> None:
    """The image is given where its address ends as a JPEG's or PNG's does, for its type has to be told."""
    guide = guide_with(replace(SHOWING, episode=replace(EPISODE, image_pid=image_pid)))

    root = render_valid(guide, template=template)

    assert texts_of(root, "MediaUri") == ([] if expected is None else [expected])


def test_programme_is_described_once() -> None:
    """An episode that is shown twice has one description, and both events refer to it."""
    again = replace(
        SHOWING, broadcast_pid=Pid("w0000002"), start=SHOWING.end, end=SHOWING.end + timedelta(hours=1)
    )

    root = render_valid(guide_with(SHOWING, again), guide_with(SHOWING, sid=BIRCH))

    assert values_of(root, "ProgramInformation", "programId") == ["crid://schedules.example/p0000001"]
    assert values_of(root, "Program", "crid") == ["crid://schedules.example/p0000001"] * 3


@pytest.mark.parametrize("alder_is_newer", [True, False])
def test_programme_is_described_as_it_was_published_last(*, alder_is_newer: bool) -> None:
    """Where two services were published with different titles of one episode, the later publication counts."""
    newer, older = (ALDER, BIRCH) if alder_is_newer else (BIRCH, ALDER)
    renamed = guide_with(
        replace(SHOWING, title="Loud Viaduct"), sid=newer, published_at=SIX + timedelta(hours=1)
    )

    root = render_valid(renamed, guide_with(SHOWING, sid=older))

    assert _titles(root)[0] == ("main", "Loud Viaduct")


@given(guides(), st.sampled_from(["", TEMPLATE, "https://i.example/?a=1&b={image_pid}"]), st.booleans())
def test_documents_are_those_of_lxml(
    of_services: list[ServiceGuide], template: str, is_for_televisions: bool
) -> None:
    """Written as text in pieces, whatever the texts hold."""
    rendition = Rendition(NAMING, template, is_for_televisions)

    found = render_tv_anytime(
        of_services, NAMING, image_url_template=template, is_for_televisions=is_for_televisions
    )

    read = etree.fromstring(found).getroottree()
    assert etree.tostring(read, encoding="UTF-8", xml_declaration=True) == render_by_lxml(
        of_services, rendition
    )
