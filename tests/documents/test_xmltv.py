"""XMLTV as it goes out: each element, validity by the DTD, and what the format cannot hold."""

import re
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import which

import pytest
from documents.xmltv_by_lxml import render_by_lxml
from documents.xmltv_guides import (
    ALDER,
    BIRCH,
    DOMAIN,
    LONG_DAY,
    NOON,
    SHORT_DAY,
    blanked,
    day_guide,
    episode,
    guide,
    guides,
    showing,
    unknown,
)
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from renderers import render_xmltv

from schedules_pipeline.documents.xmltv import render_time
from schedules_pipeline.domain.catalogue import NO_SYNOPSES, Synopses
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.published import Broadcast
from schedules_pipeline.domain.service_guide import DayVersion, ServiceGuide

_SCHEMAS = Path(__file__).parents[1] / "schemas/xmltv"
_TEMPLATES = (
    "",
    "https://i.example/640x360/{image_pid}.jpg",
    'https://i.example/?width=9&sign="<>&pid={image_pid}',
)
_DTD = etree.DTD(str(_SCHEMAS / "xmltv.dtd"))


def _render(*showings: Broadcast, template: str = "") -> etree._Element:
    return etree.fromstring(render_xmltv([guide(showings)], domain=DOMAIN, image_url_template=template))


def _programme(shown: Broadcast, template: str = "") -> etree._Element:
    found = _render(shown, template=template).find("programme")
    assert found is not None
    return found


def _texts(programme: etree._Element, tag: str) -> list[str | None]:
    return [element.text for element in programme.iterfind(tag)]


def test_a_guide_has_these_bytes() -> None:
    """A channel and a programme with all there is, element by element as in the DTD's order."""
    shown = showing(
        is_repeat=True,
        is_signed=True,
        is_audio_described=True,
        episode=episode(warning_text="Flashing lights."),
    )

    document = render_xmltv(
        [guide([shown])], domain=DOMAIN, image_url_template="https://i.example/{image_pid}.jpg"
    )

    assert (
        document.decode()
        == """<?xml version='1.0' encoding='UTF-8'?>
<!DOCTYPE tv SYSTEM "xmltv.dtd">
<tv date="20260328120000 +0000" generator-info-name="schedules-pipeline">
<channel id="alder-one-north.alder.example">
  <display-name>Alder One North</display-name>
</channel>
<programme start="20260328120000 +0000" stop="20260328123000 +0000" channel="alder-one-north.alder.example">
  <title>Quiet Viaduct</title>
  <sub-title>Series 2: The Lantern</sub-title>
  <desc>A lamp.</desc>
  <keyword>audio-described</keyword>
  <icon src="https://i.example/p0000009.jpg"/>
  <episode-num system="xmltv_ns">1..</episode-num>
  <episode-num system="onscreen">S2</episode-num>
  <episode-num system="alder.example">episode/p0000001</episode-num>
  <episode-num system="alder.example">series/s0000001</episode-num>
  <episode-num system="alder.example">brand/b0000001</episode-num>
  <episode-num system="alder.example">version/v0000001</episode-num>
  <episode-num system="alder.example">broadcast/w0000001</episode-num>
  <episode-num system="alder.example">derived/xmltv_ns</episode-num>
  <episode-num system="alder.example">derived/onscreen</episode-num>
  <previously-shown/>
  <subtitles type="deaf-signed"/>
  <rating system="advisory">
    <value>Flashing lights.</value>
  </rating>
</programme>
</tv>
"""
    )


@given(guides(), st.sampled_from(_TEMPLATES))
def test_every_guide_has_the_bytes_that_lxml_writes(made: list[ServiceGuide], template: str) -> None:
    """Markup in texts, line ends, control characters, and addresses with a query are escaped as lxml does."""
    assert render_xmltv(made, domain=DOMAIN, image_url_template=template) == render_by_lxml(
        made, DOMAIN, template
    )


@given(guides())
def test_every_guide_is_valid(made: list[ServiceGuide]) -> None:
    """For any guide, the document is valid by the DTD, and no text in it is empty."""
    root = etree.fromstring(
        render_xmltv(made, domain=DOMAIN, image_url_template="https://i.example/{image_pid}")
    )

    assert _DTD.validate(root), _DTD.error_log
    texts = [
        element.text
        for tag in ("title", "sub-title", "desc", "value", "keyword")
        for element in root.iter(tag)
    ]
    assert all(text and text.strip() for text in texts)


@given(guides())
def test_no_broadcast_is_lost_or_moved(made: list[ServiceGuide]) -> None:
    """Every broadcast has a programme with exactly its times, with any gaps and overlaps."""
    root = etree.fromstring(render_xmltv(made, domain=DOMAIN))

    times = sorted((e.get("start", ""), e.get("stop", "")) for e in root.iterfind("programme"))
    assert times == sorted((render_time(s.start), render_time(s.end)) for g in made for s in g.broadcasts)


@pytest.mark.skipif(which("tv_validate_file") is None, reason="XMLTV's own validator is not installed here")
def test_the_field_s_own_validator_agrees(tmp_path: Path) -> None:
    """``tv_validate_file`` finds nothing wrong with slots of every sort, odd characters and long days."""
    odd = showing(NOON + timedelta(hours=3), number=4, title="Caf\u00e9 \x00\x92 & <b>", subtitle="\n")
    shown = [showing(), blanked(NOON + timedelta(hours=1), 2), unknown(NOON + timedelta(hours=2), 3), odd]
    days = [day_guide(ScheduleKey(BIRCH, LONG_DAY.date)), day_guide(ScheduleKey(Sid("_"), SHORT_DAY.date))]
    path = tmp_path / "guide.xml"
    path.write_bytes(render_xmltv([guide(shown), *days], domain=DOMAIN))
    # It would fetch the DTD, and keep it at home.
    env = {"XMLTV_SUPPLEMENT": str(_SCHEMAS), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}

    result = subprocess.run(
        ["tv_validate_file", str(path)], env=env, capture_output=True, text=True, check=False
    )

    assert (result.returncode, result.stdout + result.stderr) == (0, "Validated ok.\n")


def test_a_blanked_broadcast_keeps_its_slot() -> None:
    """It has its times and its own pid, a title that says so, and a keyword for programs; nothing of a programme."""
    programme = _programme(blanked())

    assert _texts(programme, "title") == ["Not available"]
    assert _texts(programme, "keyword") == ["blanked"]
    assert _texts(programme, "episode-num") == ["broadcast/w0000001"]


def test_an_unknown_episode_keeps_its_slot() -> None:
    """It has its times and its pids, and a title that says that there will be one."""
    programme = _programme(unknown())

    assert _texts(programme, "title") == ["To be announced"]
    assert _texts(programme, "episode-num") == ["episode/p0000099", "version/v0000001", "broadcast/w0000001"]


def test_an_episode_without_a_title_has_one_all_the_same() -> None:
    """The DTD requires a title; a title of control characters alone counts as missing."""
    assert _texts(_programme(showing(title="", subtitle="")), "title") == ["To be announced"]
    assert _texts(_programme(showing(title="\x00 \x1b", subtitle="\n")), "title") == ["To be announced"]


def test_a_title_that_cannot_be_written_leaves_its_place_to_the_sub_title() -> None:
    """The sub-title comes before a placeholder."""
    programme = _programme(showing(title="\x00", subtitle="The Lantern"))

    assert (_texts(programme, "title"), _texts(programme, "sub-title")) == (["The Lantern"], [])


@pytest.mark.parametrize(
    ("synopses", "expected"),
    [
        (Synopses("short", "medium", "long"), ["long"]),
        (Synopses("short", "medium", " \n"), ["medium"]),
        (Synopses("short", "", ""), ["short"]),
        (NO_SYNOPSES, []),
    ],
)
def test_the_longest_synopsis_is_the_description(synopses: Synopses, expected: list[str]) -> None:
    """Of those that say anything; where none does, there is no description."""
    assert _texts(_programme(showing(episode=episode(synopses=synopses))), "desc") == expected


def test_titles_are_on_one_line_and_descriptions_keep_theirs() -> None:
    """Only a description may have line ends, as the DTD says."""
    programme = _programme(
        showing(
            title="Quiet\n Viaduct ", episode=episode(synopses=Synopses("", "", " A lamp\r\n\r\nis\tlit. "))
        )
    )

    assert _texts(programme, "title") == ["Quiet Viaduct"]
    assert _texts(programme, "desc") == ["A lamp\nis lit."]


@pytest.mark.parametrize(
    "character", ["\x00", "\x0b", "\x1b", "\x7f", "\x85", "\x92", "\ud800", "\ufffe", "\uffff"]
)
def test_what_xml_cannot_hold_leaves_the_rest(character: str) -> None:
    """A space stands for a character that XML 1.0 forbids, or that readers take for a wrong encoding."""
    programme = _programme(showing(title=f"Quiet{character}Viaduct"))

    assert _texts(programme, "title") == ["Quiet Viaduct"]


def test_markup_in_a_title_is_a_title() -> None:
    """Nothing that a text says is markup."""
    assert _texts(_programme(showing(title="Tom & <b>Jerry</b> ]]>")), "title") == ["Tom & <b>Jerry</b> ]]>"]


def test_there_is_no_icon_without_a_template_or_an_image() -> None:
    """An address is only given where it is known how they are made, and there is an image."""
    without = showing(episode=episode(image_pid=""))

    assert _programme(showing()).find("icon") is None
    assert _programme(without, "https://i.example/{image_pid}").find("icon") is None


def test_an_image_cannot_leave_its_place_in_the_address() -> None:
    """What upstream calls an image may hold anything, and is a part of the path all the same."""
    shown = showing(episode=episode(image_pid="../a?b#c d"))

    icon = _programme(shown, "https://i.example/{image_pid}.jpg").find("icon")

    assert icon is not None
    assert icon.get("src") == "https://i.example/..%2Fa%3Fb%23c%20d.jpg"


@pytest.mark.parametrize(("key", "hours"), [(SHORT_DAY, 23), (LONG_DAY, 25)])
def test_days_of_23_and_25_hours_have_all_their_hours(key: ScheduleKey, hours: int) -> None:
    """Each programme begins when the one before it ends, in UTC, through the change of the clocks."""
    root = etree.fromstring(render_xmltv([day_guide(key)], domain=DOMAIN))

    programmes = root.findall("programme")
    assert len(programmes) == 2 * hours
    assert [p.get("stop") for p in programmes[:-1]] == [p.get("start") for p in programmes[1:]]


def test_a_broadcast_that_straddles_the_day_is_whole() -> None:
    """Its times are its own, not those of the day that it is cut from."""
    cut = day_guide(SHORT_DAY, minutes=59)

    programmes = etree.fromstring(render_xmltv([cut], domain=DOMAIN)).findall("programme")

    assert cut.broadcasts[-1].end > cut.window.end
    assert programmes[-1].get("stop") == render_time(cut.broadcasts[-1].end)


def test_times_are_in_utc_with_their_offset_in_every_year() -> None:
    """Years have four digits, also those before 1000."""
    assert render_time(datetime(987, 1, 2, 3, 4, 5, tzinfo=UTC)) == "09870102030405 +0000"


def test_channels_are_in_the_order_of_their_ids() -> None:
    """Services in any order give the same bytes; a service without broadcasts is a channel."""
    one, other = guide([showing()]), guide([], BIRCH, "")

    document = render_xmltv([other, one], domain=DOMAIN)

    assert document == render_xmltv([one, other], domain=DOMAIN)
    assert re.findall(rb'<channel id="([^"]*)', document) == [
        b"alder-one-north.alder.example",
        b"birch.alder.example",
    ]
    assert b"<display-name>birch</display-name>" in document


def test_the_date_is_that_of_the_latest_publication() -> None:
    """The DTD wants when the listings were made, not when they were converted."""
    later = ServiceGuide(BIRCH, "Birch", guide([]).window, (), 0, NOON + timedelta(hours=1))
    never = ServiceGuide(Sid("cedar"), "Cedar", guide([]).window, (), 0, None)

    root = etree.fromstring(render_xmltv([guide([]), later, never], domain=DOMAIN))

    assert root.get("date") == "20260328130000 +0000"
    assert etree.fromstring(render_xmltv([never], domain=DOMAIN)).get("date") is None


def test_a_guide_of_no_services_is_valid() -> None:
    """It has neither channels nor programmes."""
    assert _DTD.validate(etree.fromstring(render_xmltv([], domain=DOMAIN)))


def test_a_service_that_is_given_twice_is_a_mistake() -> None:
    """Two channels with one id would make the document invalid, so a caller may pass one guide of a service."""
    with pytest.raises(ValueError, match="alder_one_north is given twice"):
        render_xmltv([guide([]), guide([], BIRCH), guide([])], domain=DOMAIN)


def test_every_sid_has_a_channel_of_its_own() -> None:
    """Hyphens stand for underscores, and sids have no hyphens."""
    document = render_xmltv([guide([], Sid("a_b")), guide([], Sid("ab")), guide([], Sid("_"))], domain=DOMAIN)

    assert re.findall(rb'id="([^"]*)', document) == [
        b"-.alder.example",
        b"a-b.alder.example",
        b"ab.alder.example",
    ]


def test_a_broadcast_without_an_ancestry_has_no_numbers_of_it() -> None:
    """What stands alone names its episode and its broadcast."""
    shown = showing(series=None, brand=None, version_pid=None, title="The Lantern", subtitle="")

    assert _texts(_programme(shown), "episode-num") == [f"episode/{Pid('p0000001')}", "broadcast/w0000001"]
    assert _programme(shown).get("channel") == f"{ALDER.replace('_', '-')}.{DOMAIN}"


def test_the_version_of_each_schedule_is_in_the_guide() -> None:
    """A processing instruction before the service's programmes, which the DTD allows and readers pass over."""
    versions = (DayVersion(SHORT_DAY.date, 12, "abc"), DayVersion(LONG_DAY.date, 3, "def"))
    document = render_xmltv([replace(guide([showing()]), versions=versions)], domain=DOMAIN)

    root = etree.fromstring(document)

    assert _DTD.validate(root), _DTD.error_log
    instructions = [found for found in root if isinstance(found, etree._ProcessingInstruction)]
    assert [dict(found.attrib) for found in instructions] == [
        {"sid": "alder_one_north", "date": "2026-03-28", "seq": "12", "etag": "abc"},
        {"sid": "alder_one_north", "date": "2026-10-24", "seq": "3", "etag": "def"},
    ]


def test_what_is_no_repeat_is_new() -> None:
    """Unless its programme is unknown or blanked."""
    assert _programme(showing()).find("new") is not None
    assert all(
        _programme(shown).find("new") is None for shown in (showing(is_repeat=True), blanked(), unknown())
    )


def test_an_icon_has_the_size_that_its_address_names() -> None:
    """In pixels, where a segment of the address says it."""
    icon = _programme(showing(), "https://i.example/640x360/{image_pid}.jpg").find("icon")

    assert icon is not None
    assert (icon.get("width"), icon.get("height")) == ("640", "360")
