"""The catalogue schedule: a continuous UTC day, and its exact bytes."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from documents.catalogue_days import HOUR, MIDNIGHT, guide_of, showing_at
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from renderers import render_catalogue_schedules

from schedules_pipeline.domain.catalogue import Synopses
from schedules_pipeline.domain.service_guide import ServiceGuide


def _read(document: bytes) -> etree._Element:
    return etree.fromstring(document)


def _attributes(element: etree._Element) -> dict[str, str]:
    return {str(name): str(value) for name, value in element.attrib.items()}


def _airings(document: bytes) -> list[tuple[str, datetime, datetime]]:
    return [
        (
            airing.get("programRef", ""),
            datetime.fromisoformat(airing.get("startTime", "")),
            datetime.fromisoformat(airing.get("endTime", "")),
        )
        for airing in _read(document).iter("Airing")
    ]


def _programmes(document: bytes) -> dict[str, tuple[str, str]]:
    """By id, the name of the element and the title."""
    return {
        programme.get("id", ""): (programme.tag, programme.findtext("Titles/Title", ""))
        for programme in _read(document).iterfind("ProgramCatalog/*")
    }


@st.composite
def _guides(draw: st.DrawFn) -> ServiceGuide:
    """Days with gaps, overlaps, repeats, blanked and unknown broadcasts, and texts with anything in them."""
    texts = st.text(max_size=8)
    showings = []
    for number in range(draw(st.integers(0, 10))):
        start = draw(st.integers(-5, 24))
        showing = showing_at(
            number,
            start,
            start + draw(st.integers(1, 30)),
            title=draw(texts),
            subtitle=draw(texts),
            synopses=Synopses(draw(texts), draw(texts), draw(texts)),
            episode_pid=draw(st.sampled_from(["", "b0000001", "b0000002"])),
            is_blanked=draw(st.booleans()),
            is_known=draw(st.booleans()),
        )
        showings.append(showing)
    return guide_of(*showings, version=draw(st.integers(0, 10**6)))


def test_document_is_exactly_so() -> None:
    """The golden document: a programme with all there is, an off-air filler, and what stands for unknown ones."""
    synopses = Synopses("A lamp.", "A lamp is lit.", "A lamp & a viaduct.\nBoth are lit.")
    guide = guide_of(
        showing_at(1, 6, 7, subtitle="Series 2: The <Lantern>", synopses=synopses),
        showing_at(2, 7, 8, is_blanked=True),
        showing_at(3, 8, 24, is_known=False),
    )

    document = render_catalogue_schedules([guide])

    assert (
        document.decode()
        == """<?xml version='1.0' encoding='UTF-8'?>
<DataCollections>
  <ProgramCatalog id="alder_one_north_20260115" version="7" action="replace">
    <Other id="NOT_AVAILABLE" version="7">
      <Titles>
        <Title language="en" default="true">Not available</Title>
      </Titles>
    </Other>
    <OffAir id="OFF_AIR" version="7">
      <Titles>
        <Title language="en" default="true">Off air</Title>
      </Titles>
    </OffAir>
    <ToBeAnnounced id="TO_BE_ANNOUNCED" version="7">
      <Titles>
        <Title language="en" default="true">To be announced</Title>
      </Titles>
    </ToBeAnnounced>
    <Other id="b0000001" version="7">
      <Titles>
        <Title language="en" default="true">Quiet Viaduct: Series 2: The &lt;Lantern&gt;</Title>
      </Titles>
      <Descriptions>
        <Description language="en" default="true">A lamp.</Description>
      </Descriptions>
      <Synopses>
        <Synopsis language="en" default="true">A lamp &amp; a viaduct. Both are lit.</Synopsis>
      </Synopses>
    </Other>
  </ProgramCatalog>
  <ScheduleCatalog id="alder_one_north_20260115" version="7" action="replace">
    <Schedule id="alder_one_north_20260115" version="7" date="2026-01-15" stationRef="alder_one_north" \
programCatalogRef="alder_one_north_20260115">
      <Airing programRef="OFF_AIR" startTime="2026-01-15T00:00:00Z" endTime="2026-01-15T06:00:00Z"/>
      <Airing programRef="b0000001" startTime="2026-01-15T06:00:00Z" endTime="2026-01-15T07:00:00Z"/>
      <Airing programRef="NOT_AVAILABLE" startTime="2026-01-15T07:00:00Z" endTime="2026-01-15T08:00:00Z"/>
      <Airing programRef="TO_BE_ANNOUNCED" startTime="2026-01-15T08:00:00Z" endTime="2026-01-16T00:00:00Z"/>
    </Schedule>
  </ScheduleCatalog>
</DataCollections>
"""
    )


@given(_guides())
def test_day_is_exactly_covered(guide: ServiceGuide) -> None:
    """Airings are in order, begin and end with the UTC day, and leave neither a gap nor an overlap."""
    document = render_catalogue_schedules([guide])

    airings = _airings(document)
    assert (airings[0][1], airings[-1][2]) == guide.window
    assert all(one[2] == other[1] for one, other in pairwise(airings))
    assert all(start < end for _, start, end in airings)


@given(_guides())
def test_every_reference_has_its_programme(guide: ServiceGuide) -> None:
    """Airings refer to exactly the programmes that the document has, each of which is there once with a title."""
    document = render_catalogue_schedules([guide])

    programmes = [element.attrib["id"] for element in _read(document).iterfind("ProgramCatalog/*")]
    assert programmes == sorted({reference for reference, _, _ in _airings(document)})
    assert all(title for _, title in _programmes(document).values())


@given(_guides())
def test_version_stands_on_everything(guide: ServiceGuide) -> None:
    """Both catalogues, the schedule and each programme have the guide's version."""
    document = render_catalogue_schedules([guide])

    versions = {element.attrib["version"] for element in _read(document).iterfind(".//*[@id]")}
    assert versions == {str(guide.version)}


@given(st.lists(_guides(), min_size=2, max_size=4))
def test_equal_guides_give_equal_bytes(guides: list[ServiceGuide]) -> None:
    """The document depends on the days that are in it, and not on the order in which they are given."""
    days = [guide_of(*guide.broadcasts, days=number) for number, guide in enumerate(guides)]

    document = render_catalogue_schedules(days)

    assert render_catalogue_schedules(days[::-1]) == document


def test_day_of_nothing_is_one_filler() -> None:
    """A day of which nothing is published is off air from midnight to midnight, and has version 0."""
    document = render_catalogue_schedules([guide_of(version=0)])

    assert _airings(document) == [("OFF_AIR", MIDNIGHT, MIDNIGHT + 24 * HOUR)]
    assert _programmes(document) == {"OFF_AIR": ("OffAir", "Off air")}


def test_straddling_showing_is_in_both_days() -> None:
    """What runs over midnight UTC ends with the one day and begins with the next."""
    film = showing_at(1, 23, 26)

    document = render_catalogue_schedules([guide_of(film), guide_of(film, days=1)])

    shown = [airing[1:] for airing in _airings(document) if airing[0] == "b0000001"]
    assert shown == [
        (MIDNIGHT + 23 * HOUR, MIDNIGHT + 24 * HOUR),
        (MIDNIGHT + 24 * HOUR, MIDNIGHT + 26 * HOUR),
    ]


@pytest.mark.parametrize(
    ("title", "subtitle", "expected"),
    [
        ("Quiet Viaduct", "The Lantern", ("Other", "Quiet Viaduct: The Lantern")),
        ("Quiet Viaduct", "", ("Other", "Quiet Viaduct")),
        ("Quiet\n\tViaduct\x00", "\x1b", ("Other", "Quiet Viaduct")),
    ],
)
def test_title_is_the_whole_chain(title: str, subtitle: str, expected: tuple[str, str]) -> None:
    """A programme's title is title and subtitle, without what XML cannot hold."""
    document = render_catalogue_schedules([guide_of(showing_at(1, 0, 24, title=title, subtitle=subtitle))])

    assert _programmes(document) == {"b0000001": expected}


def test_programme_without_a_title_is_to_be_announced() -> None:
    """An episode of which nothing readable is known as a title stands as one to be announced."""
    document = render_catalogue_schedules([guide_of(showing_at(1, 0, 24, title=" \x00"))])

    assert _programmes(document) == {"TO_BE_ANNOUNCED": ("ToBeAnnounced", "To be announced")}


@pytest.mark.parametrize(
    ("synopses", "expected"),
    [
        (Synopses("s", "m", "l"), {"Description": "s", "Synopsis": "l"}),
        (Synopses("s", "m", ""), {"Description": "s", "Synopsis": "m"}),
        (Synopses("s", "", ""), {"Description": "s"}),
        (Synopses("", "m", ""), {"Description": "m"}),
        (Synopses("", "m", "l"), {"Description": "m", "Synopsis": "l"}),
        (Synopses("", "", "l"), {"Description": "l"}),
        (Synopses("", "", ""), {}),
    ],
)
def test_description_is_the_shortest_and_synopsis_the_longest(
    synopses: Synopses, expected: dict[str, str]
) -> None:
    """The shortest text describes, the longest is the synopsis, and none is given twice."""
    document = render_catalogue_schedules([guide_of(showing_at(1, 0, 24, synopses=synopses))])

    found = {text.tag: text.text for text in _read(document).iter("Description", "Synopsis")}
    assert found == expected


@pytest.mark.parametrize("length", [23 * HOUR, 25 * HOUR, 48 * HOUR])
def test_other_window_is_rejected(length: timedelta) -> None:
    """A guide that was not cut into UTC days is refused."""
    with pytest.raises(ValueError, match="no UTC day"):
        render_catalogue_schedules([guide_of(length=length)])
