"""The schedule of a DVB-I content guide: one whole document, and its schedules and events."""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from builders import a_broadcast
from documents.dvb_i import events, find_faults
from documents.tv_anytime_guides import (
    ALDER,
    BIRCH,
    BLANKED,
    DAY,
    NAMES,
    NAMING,
    SCHEMAS_VARIABLE,
    SHOWING,
    SIX,
    TEMPLATE,
    guide_with,
    load_schema,
    render_valid,
    texts_of,
    values_of,
)
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from schedules_pipeline.documents.tv_anytime import (
    render_duration,
    render_time,
    render_tv_anytime,
)
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.catalogue import Synopses
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.programme import Episode, TitledItem
from schedules_pipeline.domain.published import Broadcast
from schedules_pipeline.domain.service_guide import ServiceGuide

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
          <Synopsis length="medium">Not available</Synopsis>
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
    described = replace(SHOWING, is_repeat=True, is_audio_described=True, is_signed=True)
    start = described.end
    blanked = replace(
        BLANKED,
        broadcast_pid=Pid("w0000002"),
        start=start,
        end=start + timedelta(minutes=30),
        version_pid=None,
    )
    return guide_with(described, blanked)


def test_document_is_this_one() -> None:
    """A repeat with audio description, and a blanked slot after it, are written like this and not otherwise."""
    root = render_valid(_golden_guide())

    etree.indent(root)
    assert etree.tostring(root, encoding="unicode") + "\n" == _GOLDEN


def test_document_declares_utf_8() -> None:
    """A reader of the file need not guess its encoding."""
    document = render_tv_anytime([], NAMING)

    assert document.startswith(b"<?xml version='1.0' encoding='UTF-8'?>\n<TVAMain ")


@pytest.mark.parametrize(
    ("showing", "name", "count"),
    [
        (SHOWING, "FirstShowing", 0),
        (replace(SHOWING, is_repeat=True), "FirstShowing", 1),
        (SHOWING, "AVAttributes", 0),
        (replace(SHOWING, is_audio_described=True), "AVAttributes", 1),
        (replace(SHOWING, is_signed=True), "AVAttributes", 0),
    ],
)
def test_event_says(showing: Broadcast, name: str, count: int) -> None:
    """A repeat is no first showing, audio description is told of, and of signing DVB-I wants more than we know."""
    root = render_valid(guide_with(showing))

    assert len(root.findall(f".//{name}", NAMES)) == count


def test_blanked_broadcast_keeps_its_slot() -> None:
    """A blanked broadcast is an event of its own programme, without any detail of the real programme."""
    root = render_valid(guide_with(BLANKED))

    assert texts_of(root, "PublishedStartTime") == ["2026-03-10T06:00:00Z"]
    assert values_of(root, "Program", "crid") == ["crid://schedules.example/broadcast/w0000001"]
    assert b"p0000001" not in etree.tostring(root)


def test_overlapping_broadcasts_stay_as_they_are() -> None:
    """Nothing is mended: two broadcasts at once are two events at once."""
    other = replace(SHOWING, broadcast_pid=Pid("w0000002"), end=SIX + timedelta(minutes=10))

    root = render_valid(guide_with(SHOWING, other))

    assert texts_of(root, "PublishedStartTime") == ["2026-03-10T06:00:00Z"] * 2
    assert texts_of(root, "PublishedDuration") == ["PT1H30M", "PT10M"]


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


@pytest.mark.parametrize(
    ("day", "hours", "duration"),
    [(date(2026, 3, 28), 23, "PT23H"), (date(2026, 10, 24), 25, "PT25H"), (date(2026, 6, 1), 24, "PT24H")],
)
def test_schedule_lasts_as_long_as_its_day(day: date, hours: int, duration: str) -> None:
    """A day on which the clocks change is an hour shorter or longer, and so is a programme that fills it."""
    window = BroadcastCalendar(ZoneInfo("Europe/London")).window(ScheduleKey(ALDER, day))

    root = render_valid(guide_with(replace(SHOWING, start=window.start, end=window.end), window=window))

    start, end = values_of(root, "Schedule", "start"), values_of(root, "Schedule", "end")
    assert datetime.fromisoformat(end[0]) - datetime.fromisoformat(start[0]) == timedelta(hours=hours)
    assert texts_of(root, "PublishedDuration") == [duration]


def test_schedule_is_wider_where_broadcasts_straddle_its_edges() -> None:
    """Broadcasts that straddle the window's edges are whole, and the schedule says that it reaches as far."""
    early = replace(SHOWING, start=SIX - timedelta(minutes=20))
    late = replace(
        SHOWING,
        broadcast_pid=Pid("w0000002"),
        start=DAY.end - timedelta(minutes=5),
        end=DAY.end + timedelta(minutes=45),
    )

    root = render_valid(guide_with(early, late))

    (schedule,) = root.iterfind(".//Schedule", NAMES)
    assert (schedule.get("start"), schedule.get("end")) == ("2026-03-10T05:40:00Z", "2026-03-11T06:45:00Z")
    assert events(schedule) == [(early.start, early.end), (late.start, late.end)]


def test_services_come_in_the_order_of_their_ids() -> None:
    """Several services are several schedules in one document, each called by its tag."""
    root = render_valid(guide_with(SHOWING, sid=BIRCH), guide_with(SHOWING, sid=ALDER))

    assert values_of(root, "Schedule", "serviceIDRef") == [
        "tag:schedules.example,2024:alder_one",
        "tag:schedules.example,2024:birch_two",
    ]


def test_service_given_twice_is_rejected() -> None:
    """A document has one schedule of each service, so two guides of one service are an error of the caller."""
    with pytest.raises(ValueError, match="alder_one is given twice"):
        render_tv_anytime([guide_with(SHOWING), guide_with()], NAMING)


@pytest.mark.parametrize("guides", [[], [guide_with()]], ids=["no service", "a service that shows nothing"])
def test_nothing_to_show_is_two_empty_tables(guides: list[ServiceGuide]) -> None:
    """The schema takes no schedule without events, so a service that shows nothing has none."""
    root = render_valid(*guides)

    (description,) = root
    assert [etree.QName(table).localname for table in description] == [
        "ProgramInformationTable",
        "ProgramLocationTable",
    ]
    assert [len(table) for table in description] == [0, 0]


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
    lambda start, length, **fields: a_broadcast(1, SIX + timedelta(seconds=start), length / 60, **fields),
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
        lambda sid, showings, hours: guide_with(
            *showings, sid=sid, published_at=SIX + timedelta(hours=hours)
        ),
        st.sampled_from([ALDER, BIRCH, Sid("cedar_radio")]),
        _shown,
        st.integers(0, 3),
    ),
    max_size=3,
    unique_by=lambda guide: guide.sid,
)


@given(guides=_guides)
@example(guides=[_golden_guide()])
def test_every_document_is_valid(guides: Sequence[ServiceGuide]) -> None:
    """For any broadcasts, the document keeps every rule and has an event for each broadcast."""
    root = render_valid(*guides)

    assert sorted(texts_of(root, "OtherIdentifier")) == sorted(
        showing.broadcast_pid for guide in guides for showing in guide.broadcasts
    )


@given(guides=_guides, data=st.data())
def test_equal_guides_give_equal_bytes(guides: list[ServiceGuide], data: st.DataObject) -> None:
    """The order and the number of repetitions of the services do not change the bytes."""
    shuffled = data.draw(st.permutations(guides))

    assert render_tv_anytime(guides, NAMING) == render_tv_anytime(shuffled, NAMING)


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
    document = render_tv_anytime([_golden_guide()], NAMING, image_url_template=TEMPLATE)
    assert before in document

    faults = find_faults(document.replace(before, after))

    assert any(fault in found for found in faults), faults


@pytest.mark.skipif(
    SCHEMAS_VARIABLE not in os.environ,
    reason=f"the public XSDs are not ours to give on: name a directory that has them in {SCHEMAS_VARIABLE}",
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
    """The given XSDs are of this format: they accept the document, and reject it with a fault in it."""
    document = render_tv_anytime([_golden_guide()], NAMING, image_url_template=TEMPLATE)
    assert before in document

    schema = load_schema(os.environ[SCHEMAS_VARIABLE])

    assert schema.validate(etree.fromstring(document))
    assert not schema.validate(etree.fromstring(document.replace(before, after)))
