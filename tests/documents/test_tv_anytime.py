"""The schedule of a DVB-I content guide: what goes where, and that it is valid.

The public XSDs are not in this repository (``tests/schemas/tv_anytime/README.md``): where ``SCHEDULES_TVA_SCHEMAS``
names a directory that has them, every document of these tests is validated by them too.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from builders import BRAND, SERIES, a_broadcast, an_episode
from documents.dvb_i import events, find_faults
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from schedules_pipeline.documents.tv_anytime import (
    NAMESPACE,
    GuideNaming,
    fit,
    render_duration,
    render_time,
    render_tv_anytime,
)
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.catalogue import NO_SYNOPSES, Synopses
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.programme import Episode, TitledItem
from schedules_pipeline.domain.published import Broadcast
from schedules_pipeline.domain.service_guide import ServiceGuide

_VARIABLE = "SCHEDULES_TVA_SCHEMAS"
_NAMES = {"": NAMESPACE}
_NAMING = GuideNaming("schedules.example", "2024", "en")
_TEMPLATE = "https://images.example/{image_pid}.jpg"
_ALDER, _BIRCH = Sid("alder_one"), Sid("birch_two")
_SIX = datetime(2026, 3, 10, 6, tzinfo=UTC)
_DAY = Interval(_SIX, _SIX + timedelta(days=1))
_EPISODE = an_episode(synopses=Synopses("A lamp.", "A lamp is lit.", "A lamp is lit at last."))
_SHOWING = a_broadcast(1, _SIX, 90, episode=_EPISODE)
_UNKNOWN = replace(_SHOWING, episode=None, series=None, brand=None, title="", subtitle="")
_BLANKED = replace(_UNKNOWN, episode_pid=None, version_pid=None, is_blanked=True)


def _guide(
    *showings: Broadcast, sid: Sid = _ALDER, window: Interval = _DAY, published_at: datetime = _SIX
) -> ServiceGuide:
    return ServiceGuide(sid, "Alder One", window, showings, 1, published_at)


def _render(*guides: ServiceGuide, template: str = _TEMPLATE) -> etree._Element:
    """The document, read again, after it was found to be as the standard wants it."""
    document = render_tv_anytime(guides, _NAMING, image_url_template=template)
    assert find_faults(document) == []
    if _VARIABLE in os.environ:
        _schema(os.environ[_VARIABLE]).assertValid(etree.fromstring(document))
    return etree.fromstring(document)


@cache
def _schema(directory: str) -> etree.XMLSchema:
    """That of TV-Anytime, whatever its file is called; what it imports is read from beside it, never fetched."""
    parser = etree.XMLParser(no_network=True)
    for path in sorted(Path(directory).glob("tva_metadata_3-1*.xsd")):
        tree = etree.parse(path, parser)
        if tree.getroot().get("targetNamespace") == NAMESPACE:
            return etree.XMLSchema(tree)
    raise FileNotFoundError(f"{_VARIABLE}={directory}: no tva_metadata_3-1*.xsd there is of {NAMESPACE}")


def _texts(root: etree._Element, name: str) -> list[str]:
    return [element.text or "" for element in root.iterfind(f".//{name}", _NAMES)]


def _values(root: etree._Element, name: str, attribute: str) -> list[str]:
    return [element.get(attribute, "") for element in root.iterfind(f".//{name}", _NAMES)]


def _titles(root: etree._Element) -> list[tuple[str, str]]:
    return [(element.get("type", ""), element.text or "") for element in root.iterfind(".//Title", _NAMES)]


def _synopses(root: etree._Element) -> dict[str, str]:
    return {element.get("length", ""): element.text or "" for element in root.iterfind(".//Synopsis", _NAMES)}


# One document, whole

_GOLDEN = """\
<TVAMain xmlns="urn:tva:metadata:2024" xml:lang="en">
  <ProgramDescription>
    <ProgramInformationTable>
      <ProgramInformation programId="crid://schedules.example/p0000001">
        <BasicDescription>
          <Title type="main">Quiet Viaduct</Title>
          <Title type="secondary">Series 2: The Lantern</Title>
          <Synopsis length="short">A lamp.</Synopsis>
          <Synopsis length="medium">A lamp is lit.</Synopsis>
          <RelatedMaterial>
            <HowRelated href="urn:tva:metadata:cs:HowRelatedCS:2012:19"/>
            <MediaLocator>
              <MediaUri contentType="image/jpeg">https://images.example/p0000009.jpg</MediaUri>
            </MediaLocator>
          </RelatedMaterial>
        </BasicDescription>
        <EpisodeOf crid="crid://schedules.example/s0000001"/>
      </ProgramInformation>
      <ProgramInformation programId="crid://schedules.example/broadcast/w0000002">
        <BasicDescription>
          <Title type="main" xml:lang="en">Not available</Title>
          <Synopsis length="medium"/>
        </BasicDescription>
      </ProgramInformation>
    </ProgramInformationTable>
    <ProgramLocationTable>
      <Schedule serviceIDRef="tag:schedules.example,2024:alder_one" start="2026-03-10T06:00:00Z" \
end="2026-03-11T06:00:00Z">
        <ScheduleEvent>
          <Program crid="crid://schedules.example/p0000001"/>
          <InstanceDescription>
            <AVAttributes>
              <AccessibilityAttributes>
                <AudioDescriptionAttributes>
                  <AudioAttributes/>
                </AudioDescriptionAttributes>
              </AccessibilityAttributes>
            </AVAttributes>
            <OtherIdentifier type="broadcast-pid" organization="schedules.example">w0000001</OtherIdentifier>
          </InstanceDescription>
          <PublishedStartTime>2026-03-10T06:00:00Z</PublishedStartTime>
          <PublishedDuration>PT1H30M</PublishedDuration>
          <FirstShowing value="false"/>
        </ScheduleEvent>
        <ScheduleEvent>
          <Program crid="crid://schedules.example/broadcast/w0000002"/>
          <InstanceDescription>
            <OtherIdentifier type="broadcast-pid" organization="schedules.example">w0000002</OtherIdentifier>
          </InstanceDescription>
          <PublishedStartTime>2026-03-10T07:30:00Z</PublishedStartTime>
          <PublishedDuration>PT30M</PublishedDuration>
        </ScheduleEvent>
      </Schedule>
    </ProgramLocationTable>
  </ProgramDescription>
</TVAMain>
"""


def _golden_guide() -> ServiceGuide:
    described = replace(_SHOWING, is_repeat=True, is_audio_described=True, is_signed=True)
    start = described.end
    blanked = replace(
        _BLANKED,
        broadcast_pid=Pid("w0000002"),
        start=start,
        end=start + timedelta(minutes=30),
        version_pid=None,
    )
    return _guide(described, blanked)


def test_document_is_this_one() -> None:
    """A repeat with audio description, and a blanked slot after it, are written like this and not otherwise."""
    root = _render(_golden_guide())

    etree.indent(root)
    assert etree.tostring(root, encoding="unicode") + "\n" == _GOLDEN


def test_document_declares_utf_8() -> None:
    """Whoever reads it from a file need not guess its encoding."""
    document = render_tv_anytime([], _NAMING)

    assert document.startswith(b"<?xml version='1.0' encoding='UTF-8'?>\n<TVAMain ")


# What is said of a programme


def test_unknown_episode_keeps_its_name_and_says_that_it_has_no_title() -> None:
    """An episode that the catalogue lacks is called by its own CRID, so that a partner knows it again later."""
    root = _render(_guide(_UNKNOWN))

    assert _values(root, "Program", "crid") == ["crid://schedules.example/p0000001"]
    assert (_titles(root), _synopses(root)) == ([("main", "To be announced")], {"medium": ""})


def test_broadcast_of_no_episode_has_a_programme_of_its_own() -> None:
    """A slot that is not blanked but names no episode is as unknown as one whose episode is."""
    root = _render(_guide(replace(_UNKNOWN, episode_pid=None)))

    assert _values(root, "Program", "crid") == ["crid://schedules.example/broadcast/w0000001"]
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
    root = _render(_guide(replace(_SHOWING, series=series, brand=brand)))

    assert _values(root, "EpisodeOf", "crid") == expected


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
    root = _render(_guide(replace(_SHOWING, title=title, subtitle=subtitle)))

    assert _titles(root) == expected


def test_title_that_stands_for_another_is_in_english() -> None:
    """In a guide of another language it is marked as English, and the programme's own titles are not."""
    naming = GuideNaming("schedules.example", "2024-05", "cy")
    shown = _guide(_BLANKED, replace(_SHOWING, broadcast_pid=Pid("w0000002")))

    root = etree.fromstring(render_tv_anytime([shown], naming))

    language = "{http://www.w3.org/XML/1998/namespace}lang"
    assert root.get(language) == "cy"
    assert _values(root, "Title", language) == ["en", "", ""]


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
        pytest.param(NO_SYNOPSES, {"medium": ""}, id="none"),
        pytest.param(
            Synopses("so " * 40, "so " * 100, ""),
            {"short": "so " * 29 + "so…", "medium": "so " * 82 + "so…"},
            id="too long",
        ),
    ],
)
def test_synopses_are(synopses: Synopses, expected: dict[str, str]) -> None:
    """The medium one is always there, and neither is longer than the standard's table 42 allows."""
    root = _render(_guide(replace(_SHOWING, episode=replace(_EPISODE, synopses=synopses))))

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
        pytest.param(_TEMPLATE, "p0000009", "https://images.example/p0000009.jpg", id="jpeg"),
        pytest.param("https://i.example/{image_pid}.PNG?w=9", "p9", "https://i.example/p9.PNG?w=9", id="png"),
        pytest.param(_TEMPLATE, "a b/é&<", "https://images.example/a%20b%2F%C3%A9%26%3C.jpg", id="encoded"),
        pytest.param("https://i.example/{image_pid}", "p0000009", None, id="no telling what type it is"),
        pytest.param(
            "https://i.example/{image_pid}.webp", "p0000009", None, id="a type that DVB-I does not take"
        ),
        pytest.param(_TEMPLATE, "", None, id="no image"),
        pytest.param("", "p0000009", None, id="no template"),
    ],
)
def test_image_is(template: str, image_pid: str, expected: str | None) -> None:
    """The image is given where its address ends as a JPEG's or PNG's does, for its type has to be told."""
    guide = _guide(replace(_SHOWING, episode=replace(_EPISODE, image_pid=image_pid)))

    root = _render(guide, template=template)

    assert _texts(root, "MediaUri") == ([] if expected is None else [expected])


def test_programme_is_described_once() -> None:
    """An episode that is shown twice has one description, and both events refer to it."""
    again = replace(
        _SHOWING, broadcast_pid=Pid("w0000002"), start=_SHOWING.end, end=_SHOWING.end + timedelta(hours=1)
    )

    root = _render(_guide(_SHOWING, again), _guide(_SHOWING, sid=_BIRCH))

    assert _values(root, "ProgramInformation", "programId") == ["crid://schedules.example/p0000001"]
    assert _values(root, "Program", "crid") == ["crid://schedules.example/p0000001"] * 3


@pytest.mark.parametrize("alder_is_newer", [True, False])
def test_programme_is_described_as_it_was_published_last(*, alder_is_newer: bool) -> None:
    """Where two services were published with different titles of one episode, the later publication counts."""
    newer, older = (_ALDER, _BIRCH) if alder_is_newer else (_BIRCH, _ALDER)
    renamed = _guide(
        replace(_SHOWING, title="Loud Viaduct"), sid=newer, published_at=_SIX + timedelta(hours=1)
    )

    root = _render(renamed, _guide(_SHOWING, sid=older))

    assert _titles(root)[0] == ("main", "Loud Viaduct")


# What is said of a broadcast


@pytest.mark.parametrize(
    ("showing", "name", "count"),
    [
        (_SHOWING, "FirstShowing", 0),
        (replace(_SHOWING, is_repeat=True), "FirstShowing", 1),
        (_SHOWING, "AVAttributes", 0),
        (replace(_SHOWING, is_audio_described=True), "AVAttributes", 1),
        (replace(_SHOWING, is_signed=True), "AVAttributes", 0),
    ],
)
def test_event_says(showing: Broadcast, name: str, count: int) -> None:
    """A repeat is no first showing, audio description is told of, and of signing DVB-I wants more than we know."""
    root = _render(_guide(showing))

    assert len(root.findall(f".//{name}", _NAMES)) == count


def test_blanked_broadcast_keeps_its_slot() -> None:
    """It is an event like others, of a programme of its own that tells nothing of what is shown."""
    root = _render(_guide(_BLANKED))

    assert _texts(root, "PublishedStartTime") == ["2026-03-10T06:00:00Z"]
    assert _values(root, "Program", "crid") == ["crid://schedules.example/broadcast/w0000001"]
    assert b"p0000001" not in etree.tostring(root)


def test_overlapping_broadcasts_stay_as_they_are() -> None:
    """Nothing is mended: two broadcasts at once are two events at once."""
    other = replace(_SHOWING, broadcast_pid=Pid("w0000002"), end=_SIX + timedelta(minutes=10))

    root = _render(_guide(_SHOWING, other))

    assert _texts(root, "PublishedStartTime") == ["2026-03-10T06:00:00Z"] * 2
    assert _texts(root, "PublishedDuration") == ["PT1H30M", "PT10M"]


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (timedelta(seconds=1), "PT1S"),
        (timedelta(minutes=90), "PT1H30M"),
        (timedelta(hours=25), "PT25H"),
        (timedelta(days=2, seconds=61), "PT48H1M1S"),
        (timedelta(milliseconds=999), "PT0S"),
    ],
)
def test_duration_is_elapsed_time(length: timedelta, expected: str) -> None:
    """It is in hours, minutes and seconds, for a day is not always 24 hours."""
    assert render_duration(length) == expected


def test_time_is_utc() -> None:
    """An instant of another zone, and in an early year, is written as the same instant in UTC."""
    summer = datetime(2026, 6, 1, 1, 30, 15, 999_999, tzinfo=ZoneInfo("Europe/London"))

    assert render_time(summer) == "2026-06-01T00:30:15Z"
    assert render_time(datetime(987, 1, 1, tzinfo=UTC)) == "0987-01-01T00:00:00Z"


# What is said of a service


@pytest.mark.parametrize(
    ("day", "hours", "duration"),
    [(date(2026, 3, 28), 23, "PT23H"), (date(2026, 10, 24), 25, "PT25H"), (date(2026, 6, 1), 24, "PT24H")],
)
def test_schedule_lasts_as_long_as_its_day(day: date, hours: int, duration: str) -> None:
    """A day on which the clocks change is an hour shorter or longer, and so is a programme that fills it."""
    window = BroadcastCalendar(ZoneInfo("Europe/London")).window(ScheduleKey(_ALDER, day))

    root = _render(_guide(replace(_SHOWING, start=window.start, end=window.end), window=window))

    start, end = _values(root, "Schedule", "start"), _values(root, "Schedule", "end")
    assert datetime.fromisoformat(end[0]) - datetime.fromisoformat(start[0]) == timedelta(hours=hours)
    assert _texts(root, "PublishedDuration") == [duration]


def test_schedule_is_wider_where_broadcasts_straddle_its_edges() -> None:
    """Broadcasts that straddle the window's edges are whole, and the schedule says that it reaches as far."""
    early = replace(_SHOWING, start=_SIX - timedelta(minutes=20))
    late = replace(
        _SHOWING,
        broadcast_pid=Pid("w0000002"),
        start=_DAY.end - timedelta(minutes=5),
        end=_DAY.end + timedelta(minutes=45),
    )

    root = _render(_guide(early, late))

    (schedule,) = root.iterfind(".//Schedule", _NAMES)
    assert (schedule.get("start"), schedule.get("end")) == ("2026-03-10T05:40:00Z", "2026-03-11T06:45:00Z")
    assert events(schedule) == [(early.start, early.end), (late.start, late.end)]


def test_services_come_in_the_order_of_their_ids() -> None:
    """Several services are several schedules in one document, each called by its tag."""
    root = _render(_guide(_SHOWING, sid=_BIRCH), _guide(_SHOWING, sid=_ALDER))

    assert _values(root, "Schedule", "serviceIDRef") == [
        "tag:schedules.example,2024:alder_one",
        "tag:schedules.example,2024:birch_two",
    ]


def test_service_given_twice_is_rejected() -> None:
    """A service has one schedule in a document, so two guides of it are a mistake of whoever cut them."""
    with pytest.raises(ValueError, match="alder_one is given twice"):
        render_tv_anytime([_guide(_SHOWING), _guide()], _NAMING)


@pytest.mark.parametrize("guides", [[], [_guide()]], ids=["no service", "a service that shows nothing"])
def test_nothing_to_show_is_two_empty_tables(guides: list[ServiceGuide]) -> None:
    """The schema takes no schedule without events, so a service that shows nothing has none."""
    root = _render(*guides)

    (description,) = root
    assert [etree.QName(table).localname for table in description] == [
        "ProgramInformationTable",
        "ProgramLocationTable",
    ]
    assert [len(table) for table in description] == [0, 0]


# Whatever comes

_pids = st.integers(0, 9).map(lambda number: Pid(f"p{number:07}"))
_titles_of_any_kind = st.text(max_size=300)
_parents = st.none() | st.builds(TitledItem, pid=_pids, title=_titles_of_any_kind)
_image_pids = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_synopses_of_any_kind = st.builds(Synopses, *[st.text(max_size=1_500)] * 3)
_episodes = st.builds(
    Episode,
    pid=_pids,
    title=_titles_of_any_kind,
    synopses=_synopses_of_any_kind,
    image_pid=_image_pids,
    warning_text=st.none(),
)
_showings = st.builds(
    lambda start, length, **fields: a_broadcast(1, _SIX + timedelta(seconds=start), length / 60, **fields),
    st.integers(-90_000, 180_000),
    st.integers(1, 180_000),
    broadcast_pid=_pids,
    version_pid=st.none(),
    is_repeat=st.booleans(),
    is_blanked=st.booleans(),
    is_signed=st.booleans(),
    is_audio_described=st.booleans(),
    episode_pid=st.none() | _pids,
    episode=st.none() | _episodes,
    series=_parents,
    brand=_parents,
    title=_titles_of_any_kind,
    subtitle=_titles_of_any_kind,
)
_shown = st.lists(_showings, max_size=8, unique_by=lambda showing: showing.broadcast_pid).map(
    lambda showings: sorted(showings, key=lambda showing: (showing.start, showing.broadcast_pid))
)
_guides = st.lists(
    st.builds(
        lambda sid, showings, hours: _guide(*showings, sid=sid, published_at=_SIX + timedelta(hours=hours)),
        st.sampled_from([_ALDER, _BIRCH, Sid("cedar_radio")]),
        _shown,
        st.integers(0, 3),
    ),
    max_size=3,
    unique_by=lambda guide: guide.sid,
)


@given(guides=_guides)
@example(guides=[_golden_guide()])
def test_every_document_is_valid(guides: Sequence[ServiceGuide]) -> None:
    """Whatever is shown, the document keeps every rule, and has an event for each broadcast."""
    root = _render(*guides)

    assert sorted(_texts(root, "OtherIdentifier")) == sorted(
        showing.broadcast_pid for guide in guides for showing in guide.broadcasts
    )


@given(guides=_guides, data=st.data())
def test_equal_guides_give_equal_bytes(guides: list[ServiceGuide], data: st.DataObject) -> None:
    """In whatever order the services are given, and however often, the bytes are the same."""
    shuffled = data.draw(st.permutations(guides))

    assert render_tv_anytime(guides, _NAMING) == render_tv_anytime(shuffled, _NAMING)


# That the checks can fail


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        (b"urn:tva:metadata:2024", b"urn:tva:metadata:2023", "another namespace"),
        (b'<Title type="main">', b"<Title>", "Title: type is None"),
        (b'type="main">Quiet', b'type="secondary">Quiet', "titles are"),
        (b"Quiet Viaduct", b"A" * 81, "Title: too long"),
        (b"A lamp.", b"A" * 91, "Synopsis: too long"),
        (b'length="medium">A', b'length="short">A', "synopses are"),
        (b"<ScheduleEvent>", b"<ScheduleEvent><ProgramURL/>", "ScheduleEvent: has"),
        (b'programId="crid://schedules.example/p0000001"', b'programId="p0000001"', "programId is"),
        (
            b'<Program crid="crid://schedules.example/p0000001"/>',
            b'<Program crid="crid://s/p1"/>',
            "not described",
        ),
        (
            b'<Program crid="crid://schedules.example/p0000001"/>',
            b'<Program crid="crid://s/p1"/>',
            "not shown",
        ),
        (b"broadcast/w0000002", b"p0000001", "ProgramInformation: crid://schedules.example/p0000001 2 times"),
        (b">w0000002<", b">w0000001<", "OtherIdentifier: w0000001 2 times"),
        (b"T07:30:00Z", b"T05:30:00Z", "not in order"),
        (b"T07:30:00Z", b"T05:30:00Z", "outside of its schedule"),
        (b"PT30M", b"PT25H", "outside of its schedule"),
        (b"PT30M", b"PT", "PublishedDuration: says"),
        (b'end="2026-03-11T06', b'end="2026-03-10T06', "Schedule: from"),
        (b"T07:30:00Z", b"T07:30:00+00:00", "PublishedStartTime: says"),
        (b"tag:schedules.example,2024:", b"", "serviceIDRef is"),
        (b'value="false"', b'value="no"', "FirstShowing: value is"),
    ],
)
def test_rule_is_broken_by(before: bytes, after: bytes, fault: str) -> None:
    """A document that breaks a rule is found out, and the fault names the element."""
    document = render_tv_anytime([_golden_guide()], _NAMING, image_url_template=_TEMPLATE)
    assert before in document

    faults = find_faults(document.replace(before, after))

    assert any(fault in found for found in faults), faults


@pytest.mark.skipif(
    _VARIABLE not in os.environ,
    reason=f"the public XSDs are not ours to give on: name a directory that has them in {_VARIABLE}",
)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b' xml:lang="en"><ProgramDescription>', b"><ProgramDescription>"),
        (b'length="medium"', b'length="middling"'),
        (b"<PublishedStartTime>2026-03-10T06:00:00Z", b"<PublishedStartTime>06:00"),
        (b'<FirstShowing value="false"/>', b"<FirstShowing/>"),
        (b"<Program ", b"<Programme "),
        (b"crid://schedules.example/p0000001", b"p0000001"),
    ],
)
def test_schema_rejects(before: bytes, after: bytes) -> None:
    """The XSDs at hand are those of what we write: they take it as it is, and refuse it with something wrong in it."""
    document = render_tv_anytime([_golden_guide()], _NAMING, image_url_template=_TEMPLATE)
    assert before in document

    schema = _schema(os.environ[_VARIABLE])

    assert schema.validate(etree.fromstring(document))
    assert not schema.validate(etree.fromstring(document.replace(before, after)))
