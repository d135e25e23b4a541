"""XMLTV as it comes in: what is made of each element, what is odd, what is refused, and the way there and back."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from itertools import pairwise
from types import GeneratorType
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from documents.xmltv_guides import (
    ALDER,
    CALENDAR,
    DOMAIN,
    LONG_DAY,
    NOON,
    SHORT_DAY,
    blanked,
    day_guide,
    guide,
    guides,
    showing,
    unknown,
)
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.documents.catalogue_document import parse_catalogue_document
from schedules_pipeline.documents.source_document import MAXIMUM_BROADCASTS, parse_source_document
from schedules_pipeline.documents.xmltv import render_xmltv
from schedules_pipeline.documents.xmltv_import import ImportedGuide, ImportRules, import_xmltv
from schedules_pipeline.documents.xmltv_reader import Reading, Remark, parse_time, read_elements
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.catalogue import CatalogueItem
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.programme import join_programme, resolve_programme
from schedules_pipeline.domain.published import Broadcast
from schedules_pipeline.domain.schedule import Slot
from schedules_pipeline.domain.service_guide import ServiceGuide
from schedules_pipeline.errors import InvalidDocument

_TEMPLATE = "https://i.example/{image_pid}.jpg"
_RULES = ImportRules(CALENDAR, DOMAIN, image_url_template=_TEMPLATE)
_DAY = ("bbc1_uk", date(2026, 3, 28))


def _import(content: bytes, rules: ImportRules = _RULES) -> ImportedGuide:
    return import_xmltv(BytesIO(content), rules, NOON)


def _tv(
    *elements: str, channel: str = '<channel id="bbc1.uk"><display-name>One</display-name></channel>'
) -> bytes:
    return f"<tv>{channel}{''.join(elements)}</tv>".encode()


def _programme(
    start: str = "202603281200 +0000",
    stop: str | None = "202603281230 +0000",
    inside: str = "<title>Salt and Slate</title>",
    channel: str = "bbc1.uk",
    more: str = "",
) -> str:
    ends = "" if stop is None else f' stop="{stop}"'
    return f'<programme start="{start}"{ends} channel="{channel}" {more}>{inside}</programme>'


def _broadcasts(imported: ImportedGuide) -> list[dict[str, Any]]:
    return [
        broadcast
        for _, document in sorted(imported.schedules.items())
        for broadcast in document["broadcasts"]
    ]


def _times(imported: ImportedGuide) -> list[tuple[str, str]]:
    return [(broadcast["start"], broadcast["end"]) for broadcast in _broadcasts(imported)]


# What is made of a guide


def test_a_programme_becomes_a_broadcast_an_episode_and_a_brand() -> None:
    """The title is the brand's, the sub-title the episode's; the documents are those that the pipeline takes in."""
    inside = """<title>Salt and Slate</title><sub-title>Low Tide</sub-title><desc>The boat
        is late.</desc><icon src="https://i.example/p0000009.jpg"/><previously-shown/>
        <subtitles type="deaf-signed"/><rating system="advisory"><value>Strong language</value></rating>
        <keyword>audio-described</keyword>"""

    imported = _import(_tv(_programme(inside=inside)))

    (broadcast,) = _broadcasts(imported)
    episode = imported.catalogue[broadcast["episode_pid"]]
    brand = imported.catalogue[episode["parent_pid"]]
    assert imported.names == {"bbc1_uk": "One"}
    assert _times(imported) == [("2026-03-28T12:00:00Z", "2026-03-28T12:30:00Z")]
    assert [broadcast[f"is_{flag}"] for flag in ("repeat", "signed", "audio_described", "blanked")] == [
        True,
        True,
        True,
        False,
    ]
    assert episode["title"] == "Low Tide"
    assert episode["synopses"] == {"short": "The boat is late.", "medium": "", "long": ""}
    assert (episode["image_pid"], episode["warning_text"]) == ("p0000009", "Strong language")
    assert (brand["type"], brand["title"]) == ("brand", "Salt and Slate")
    _accepted(imported)


def _accepted(
    imported: ImportedGuide,
) -> tuple[dict[Pid, CatalogueItem], dict[ScheduleKey, tuple[Slot, ...]]]:
    """What the pipeline's own parsers make of the documents; an InvalidDocument where they refuse one."""
    items = {
        Pid(pid): parse_catalogue_document(Pid(pid), orjson.dumps(document))
        for pid, document in imported.catalogue.items()
    }
    keys = {key: ScheduleKey(Sid(key[0]), key[1]) for key in imported.schedules}
    schedules = {
        keys[key]: parse_source_document(keys[key], orjson.dumps(document)).schedule.slots
        for key, document in imported.schedules.items()
    }
    return items, schedules


def test_a_title_alone_is_an_episode_alone() -> None:
    """A film belongs to no brand."""
    imported = _import(_tv(_programme()))

    (item,) = imported.catalogue.values()
    assert (item["type"], item["title"], item["parent_pid"]) == ("episode", "Salt and Slate", None)


@pytest.mark.parametrize(("length", "field"), [(90, "short"), (91, "medium"), (180, "medium"), (181, "long")])
def test_a_description_goes_where_its_length_belongs(length: int, field: str) -> None:
    """Up to 90 characters, up to 180, and above."""
    imported = _import(_tv(_programme(inside=f"<title>Salt</title><desc>{'x' * length}</desc>")))

    (item,) = imported.catalogue.values()
    assert [name for name, text in item["synopses"].items() if text] == [field]


def test_what_one_showing_lacks_is_taken_from_another() -> None:
    """A description belongs to the episode, whichever of its showings gives it."""
    bare, told = "<title>Salt</title><sub-title>Low</sub-title>", "<desc>A boat.</desc>"
    later = _programme("202603281300 +0000", "202603281330 +0000", bare + told)

    imported = _import(_tv(_programme(inside=bare), later))

    assert [
        item["synopses"]["short"] for item in imported.catalogue.values() if item["type"] == "episode"
    ] == ["A boat."]


def test_the_guide_says_when_it_was_made() -> None:
    """Where it does not, it was made when it is imported."""
    dated = b'<tv date="20260301 +0000">' + _tv(_programme())[4:]
    timed = b'<tv date="20260301100000 +0100">' + _tv(_programme())[4:]

    assert _import(timed).schedules[_DAY]["published_at"] == "2026-03-01T09:00:00Z"
    assert _import(dated).schedules[_DAY]["published_at"] == "2026-03-28T12:00:00Z"


# Pids


def _pids(imported: ImportedGuide, field: str = "broadcast_pid") -> list[str]:
    return [broadcast[field] for broadcast in _broadcasts(imported)]


def test_the_same_guide_gives_the_same_pids() -> None:
    """Another import, or another guide that says the same: nothing new is shown."""
    content = _tv(_programme(), _programme("202603281300 +0000", "202603281400 +0000"))

    assert _import(content) == _import(content)
    assert len(set(_pids(_import(content)))) == 2


def test_a_programme_that_moves_within_its_day_keeps_its_pid() -> None:
    """Partners see it move, and do not see it twice."""
    moved = _programme("202603281215 +0000", "202603281245 +0000")

    assert _pids(_import(_tv(moved))) == _pids(_import(_tv(_programme())))


def test_a_guide_that_begins_a_day_later_gives_the_same_pids() -> None:
    """The pids of a day do not depend on the days before it."""
    tomorrow = _programme("202603291200 +0000", "202603291230 +0000")

    both, later = _import(_tv(_programme(), tomorrow)), _import(_tv(tomorrow))

    assert _pids(both)[1:] == _pids(later)


def test_a_new_description_is_no_new_broadcast() -> None:
    """Of a programme that has only a title it is another episode, in the same broadcast."""
    first, second = (
        _import(_tv(_programme(inside=f"<title>News</title><desc>{text}</desc>")))
        for text in ("Early.", "Late.")
    )

    assert _pids(first) == _pids(second)
    assert _pids(first, "episode_pid") != _pids(second, "episode_pid")


def test_a_new_description_of_a_named_episode_changes_no_pid() -> None:
    """It is known by its title and sub-title."""
    inside = "<title>Salt</title><sub-title>Low Tide</sub-title><desc>{}</desc>"

    first, second = (_import(_tv(_programme(inside=inside.format(text)))) for text in ("Early.", "Late."))

    assert list(first.catalogue) == list(second.catalogue)


@pytest.mark.parametrize("system", ["xmltv_ns", "onscreen"])
def test_a_number_tells_episodes_apart(system: str) -> None:
    """Two series have an episode of the same name; they are of one brand."""
    inside = '<title>Salt</title><sub-title>Part 1</sub-title><episode-num system="{}">{}</episode-num>'
    later = _programme("202603281300 +0000", "202603281330 +0000", inside.format(system, "1 . 0 ."))

    imported = _import(_tv(_programme(inside=inside.format(system, "0.0.")), later))

    assert sorted(item["type"] for item in imported.catalogue.values()) == ["brand", "episode", "episode"]


@pytest.mark.parametrize(
    "number", ['system="dd_progid">EP01234567.0012', 'system="x">crid://alder.example/12']
)
def test_a_number_of_all_the_world_is_the_episode(number: str) -> None:
    """Whatever language its sub-title is in, it is shown under the first, and counted."""
    inside = f"<title>Salt</title><sub-title>{{}}</sub-title><episode-num {number}</episode-num>"

    first, second = (_import(_tv(_programme(inside=inside.format(text)))) for text in ("Low Tide", "Ebbe"))

    assert _pids(first, "episode_pid") == _pids(second, "episode_pid")


def test_one_number_under_two_titles_is_two_episodes() -> None:
    """Both are shown as the guide calls them."""
    inside = '<title>Salt</title><sub-title>{}</sub-title><episode-num system="dd_progid">EP1.2</episode-num>'
    shown = [
        _programme(inside=inside.format("Low Tide")),
        _programme("202603281300 +0000", "202603281400 +0000", inside.format("Ebbe")),
    ]

    imported = _import(_tv(*shown))

    assert [imported.catalogue[pid]["title"] for pid in _pids(imported, "episode_pid")] == [
        "Low Tide",
        "Ebbe",
    ]
    assert imported.remarks == {Remark.RETITLED: 1}


# Channels


@pytest.mark.parametrize(
    ("channel", "sid"),
    [
        ("bbc1.uk", "bbc1_uk"),
        ("I10436.labs.zap2it.com", "i10436_labs_zap2it_com"),
        ("Télé-Québec", "tele_quebec"),
        ("alder-one-north.alder.example", "alder_one_north"),
        ("x" * 70, "x" * 64),
    ],
)
def test_a_service_is_named_by_its_channel(channel: str, sid: str) -> None:
    """Letters and digits stay, whatever is between is an underscore; of our own domain it is the sid itself."""
    assert list(_import(_tv(_programme(channel=channel), channel="")).names) == [sid]


def test_channels_that_come_to_the_same_are_told_apart() -> None:
    """Each has a suffix of its own id, whichever comes first; one without a letter is named by it alone."""
    ids = ["BBC.1", "bbc-1", "bbc2", "日本"]

    first, second = (
        _import(_tv(*(_programme(channel=channel) for channel in order), channel=""))
        for order in (ids, ids[::-1])
    )

    assert sorted(first.names) == sorted(second.names)
    assert {sid: name for sid, name in first.names.items() if name == "bbc2"} == {"bbc2": "bbc2"}
    assert [re.fullmatch(r"(bbc_1|channel)_[0-9a-z]{8}|bbc2", sid) is not None for sid in first.names] == [
        True
    ] * 4
    assert first.remarks[Remark.CHANNEL_RENAMED] == 3


def test_a_channel_needs_no_description_and_the_first_counts() -> None:
    """Both are counted."""
    twice = "".join(
        f'<channel id="a"><display-name>{name}</display-name></channel>' for name in ("One", "Two")
    )

    imported = _import(_tv(_programme(channel="a"), _programme(channel="b"), channel=twice))

    assert imported.names == {"a": "One", "b": "b"}
    assert imported.remarks == {Remark.CHANNEL_REPEATED: 1, Remark.CHANNEL_UNDESCRIBED: 1}


# Times


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20260328120000 +0000", "2026-03-28T12:00:00+00:00"),
        ("20260328120000 +0130", "2026-03-28T10:30:00+00:00"),
        ("20260328120000-0500", "2026-03-28T17:00:00+00:00"),
        ("202603281200 +01:00", "2026-03-28T11:00:00+00:00"),
        ("2026032812 BST", "2026-03-28T11:00:00+00:00"),
        ("20260328120000 Z", "2026-03-28T12:00:00+00:00"),
        (" 202607281200 ", "2026-07-28T10:00:00+00:00"),
        ("20260328", None),
        ("202603281", None),
        ("20260230120000", None),
        ("20260328240000", None),
        ("2026032812000011", None),
        ("20260328120000 XYZ", None),
        ("20260328120000 +9900", None),
        ("00010101000000 +0000", None),
        ("99991231235959 -0100", None),
        ("٢٠٢٦٠٣٢٨١٢٠٠", None),
        ("", None),
        (None, None),
    ],
)
def test_a_time_is_read_as_the_dtd_has_it(text: str | None, expected: str | None) -> None:
    """An offset, a name, or neither, which is then the zone that was asked for; what is none of that is no time."""
    found = parse_time(text, ZoneInfo("Europe/Vienna"))

    assert (found and found.isoformat()) == expected


def test_a_time_without_an_offset_is_utc_unless_said_otherwise() -> None:
    """As the DTD has it; or in the zone of the rules, on either side of a change of the clocks."""
    content = _tv(_programme("20260328120000", "20260329120000"))
    vienna = ImportRules(CALENDAR, zone=ZoneInfo("Europe/Vienna"))

    assert _times(_import(content)) == [("2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z")]
    assert _times(_import(content, vienna)) == [("2026-03-28T11:00:00Z", "2026-03-29T10:00:00Z")]


@pytest.mark.parametrize("stop", [None, "nonsense", "202603281200 +0000", "202603281100 +0000"])
def test_what_has_no_stop_ends_when_the_next_begins(stop: str | None) -> None:
    """The next of the same channel, in whatever order they come, and later than this one."""
    following = _programme("202603281245 +0000", "202603281300 +0000", "<title>Next</title>")
    elsewhere = _programme("202603281210 +0000", "202603281300 +0000", channel="other")

    imported = _import(_tv(following, elsewhere, _programme(stop=stop)))

    assert ("2026-03-28T12:00:00Z", "2026-03-28T12:45:00Z") in _times(imported)
    assert imported.remarks[Remark.NO_STOP] == 1


def test_what_has_no_stop_and_nothing_follows_is_left_out() -> None:
    """How long it is cannot be known; a gap of days in the guide is no programme of days."""
    much_later = _programme("202603301200 +0000", "202603301300 +0000")

    imported = _import(_tv(_programme(stop=None), much_later))

    assert _times(imported) == [("2026-03-30T12:00:00Z", "2026-03-30T13:00:00Z")]
    assert imported.remarks == {Remark.NO_END: 1}


def test_overlaps_and_gaps_stay() -> None:
    """The schedule's own check reports them."""
    slots = [("1200", "1300"), ("1230", "1330"), ("1500", "1530")]

    imported = _import(_tv(*(_programme(f"20260328{a} +0000", f"20260328{b} +0000") for a, b in slots)))

    assert _times(imported) == [
        (f"2026-03-28T{a[:2]}:{a[2:]}:00Z", f"2026-03-28T{b[:2]}:{b[2:]}:00Z") for a, b in slots
    ]
    assert imported.remarks == {}


def test_a_clump_shares_its_slot() -> None:
    """Both have the times that the guide gives; without a stop, up to the next slot."""
    clump = [
        _programme(stop=None, inside=f"<title>{title}</title>", more=f'clumpidx="{n}/2"')
        for n, title in enumerate(("News", "Weather"))
    ]

    imported = _import(_tv(*clump, _programme("202603281230 +0000", "202603281300 +0000")))

    assert _times(imported)[:2] == [("2026-03-28T12:00:00Z", "2026-03-28T12:30:00Z")] * 2
    assert imported.remarks[Remark.CLUMPED] == 2


def test_a_programme_that_is_given_twice_is_shown_once() -> None:
    """The same times and the same episode; another showing of it is no repetition."""
    again = _programme("202603281300 +0000", "202603281330 +0000")

    imported = _import(_tv(_programme(), _programme(), again))

    assert len(_broadcasts(imported)) == 2
    assert imported.remarks == {Remark.REPEATED: 1}


# Slot days


def _days_of(
    starts: Iterable[str], channel: str = "alder", calendar: BroadcastCalendar = CALENDAR
) -> list[str]:
    """The day into which each of these goes, by itself."""
    found = []
    for start in starts:
        at = datetime.strptime(start, "%Y%m%d%H%M").replace(tzinfo=UTC)
        stop = f"{at + timedelta(minutes=1):%Y%m%d%H%M}"
        imported = _import(_tv(_programme(start, stop, channel=channel)), ImportRules(calendar))
        found += [day.isoformat() for _, day in imported.schedules]
    return found


def test_a_television_day_begins_at_six_local_time() -> None:
    """In winter and in summer, and in the nights in which the clocks change."""
    starts = ["202603280559", "202603280600", "202603290459", "202603290500", "202610250559", "202610250600"]

    days = _days_of(starts)

    assert days == ["2026-03-27", "2026-03-28", "2026-03-28", "2026-03-29", "2026-10-24", "2026-10-25"]


def test_a_radio_day_begins_at_midnight_local_time() -> None:
    """The hours that two of its days share belong to the later."""
    days = _days_of(["202603272359", "202603280000", "202603280300", "202607272300"], "alder radio")

    assert days == ["2026-03-27", "2026-03-28", "2026-03-28", "2026-07-28"]


def test_broadcast_days_are_cut_in_their_own_zone() -> None:
    """Wherever the guide comes from."""
    calendar = BroadcastCalendar(ZoneInfo("America/New_York"))

    assert _days_of(["202603281000", "202603280959"], calendar=calendar) == ["2026-03-28", "2026-03-27"]


def test_no_day_has_more_than_the_pipeline_takes() -> None:
    """What is above the limit is left out and counted, or the whole day would be refused."""
    start = datetime(2026, 3, 28, 6, tzinfo=UTC)
    times = [f"{start + timedelta(seconds=n):%Y%m%d%H%M%S} +0000" for n in range(MAXIMUM_BROADCASTS + 3)]

    imported = _import(_tv(*(_programme(a, b) for a, b in pairwise(times))))

    assert len(_broadcasts(imported)) == MAXIMUM_BROADCASTS
    assert imported.remarks == {Remark.TOO_MANY: 2}
    _accepted(imported)


# Texts


def test_texts_that_the_pipeline_would_reject_are_cut() -> None:
    """And counted."""
    inside = f"<title>{'t' * 600}</title><sub-title>{'s' * 600}</sub-title><desc>{'d' * 6000}</desc>"

    imported = _import(_tv(_programme(inside=inside)))

    items, _ = _accepted(imported)
    assert sorted(len(item.title) for item in items.values()) == [500, 500]
    assert imported.remarks == {Remark.SHORTENED: 3}


def test_a_name_that_is_too_long_for_the_setting_is_cut() -> None:
    """What services are called can be handed on as it is."""
    channel = f'<channel id="bbc1.uk"><display-name>{"x" * 101}</display-name></channel>'

    imported = _import(_tv(_programme(), channel=channel))

    assert imported.names == {"bbc1_uk": "x" * 99 + "…"}
    assert imported.remarks == {Remark.SHORTENED: 1}


def test_of_several_languages_the_first_counts() -> None:
    """The sub-title and the description are then in that of the title; or all in the language that is asked for."""
    inside = """<title lang="de">Salz</title><title lang="en_GB">Salt</title>
        <sub-title lang="en">Low Tide</sub-title><sub-title lang="de">Ebbe</sub-title>"""
    titles = [
        sorted(item["title"] for item in _import(_tv(_programme(inside=inside)), rules).catalogue.values())
        for rules in (
            ImportRules(CALENDAR),
            ImportRules(CALENDAR, language="en"),
            ImportRules(CALENDAR, language="fr"),
        )
    ]

    assert titles == [["Ebbe", "Salz"], ["Low Tide", "Salt"], ["Ebbe", "Salz"]]


@pytest.mark.parametrize("inside", ["", "<title/>", "<title> </title>"])
def test_a_programme_without_a_title_keeps_its_slot(inside: str) -> None:
    """And is counted."""
    imported = _import(_tv(_programme(inside=inside)))

    assert len(_broadcasts(imported)) == 1
    assert imported.remarks == {Remark.NO_TITLE: 1}
    _accepted(imported)


def test_an_image_from_elsewhere_is_not_taken() -> None:
    """We could not make its address again."""
    imported = _import(
        _tv(_programme(inside='<title>Salt</title><icon src="https://elsewhere.example/a.jpg"/>'))
    )

    assert [item["image_pid"] for item in imported.catalogue.values()] == [""]


@pytest.mark.parametrize(
    ("broken", "remark"),
    [(_programme("soon"), Remark.NO_START), (_programme(channel=""), Remark.NO_CHANNEL)],
)
def test_one_bad_programme_does_not_cost_the_others(broken: str, remark: Remark) -> None:
    """It is left out and counted."""
    imported = _import(_tv(broken, _programme()))

    assert len(_broadcasts(imported)) == 1
    assert imported.remarks == {remark: 1}


# The XML


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
    text = _tv(_programme(inside="<title>Caf\u00e9 &amp; <![CDATA[<b>]]></title>")).decode()

    (item,) = _import(encode(text)).catalogue.values()

    assert item["title"] == "Caf\u00e9 & <b>"


def test_what_is_not_known_is_passed_over() -> None:
    """Elements of others, comments and processing instructions, wherever they stand."""
    inside = "<x:thing xmlns:x='urn:x'/><!-- a --><title>Salt<!-- b --> and Slate</title><title><b>Other</b></title>"

    imported = _import(_tv("<!-- c --><?d e?><strange><programme/></strange>", _programme(inside=inside)))

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
        _import(content)


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
        _import(content)


def test_a_guide_that_is_cut_off_is_rejected() -> None:
    """Half a guide would take the other half off the air."""
    content = _tv(*(_programme() for _ in range(5_000)))

    with pytest.raises(InvalidDocument, match="not well-formed"):
        _import(content[:-20])


def test_a_guide_above_the_limit_is_rejected() -> None:
    """Its size is that of what has been unpacked."""
    elements = read_elements(
        BytesIO(_tv(*(_programme() for _ in range(2_000)))), Reading(maximum_bytes=100_000)
    )

    with pytest.raises(InvalidDocument, match="larger than 100,000 bytes"):
        list(elements)


@pytest.mark.slow
def test_an_element_without_an_end_is_not_held() -> None:
    """One that is larger than any real one is refused before it fills the memory."""
    content = b"<tv><programme>" + b"<title>x</title>" * 400_000

    with pytest.raises(InvalidDocument, match="without a second channel"):
        _import(content)


@pytest.mark.slow
def test_no_more_than_a_few_elements_are_held() -> None:
    """Whatever comes below the root is forgotten soon after it is read, also what we do not know."""
    content = _tv(*("<strange>x</strange>" * 10 + _programme() for _ in range(20_000)))
    elements = read_elements(BytesIO(content), Reading())
    assert isinstance(elements, GeneratorType)
    frame: Any = elements.gi_frame

    held = [len(frame.f_locals["root"]) for _ in elements]

    assert len(held) == 20_002
    assert max(held) < 5_000


# There and back


def _published(imported: ImportedGuide) -> list[ServiceGuide]:
    """What partners would see of an import: its documents, joined as the pipeline joins them."""
    items, schedules = _accepted(imported)
    found: dict[Sid, list[Broadcast]] = {}
    for key, broadcasts in schedules.items():
        found.setdefault(key.sid, []).extend(_shown(b, items) for b in broadcasts)
    return [
        guide(sorted(shown, key=lambda s: (s.start, s.broadcast_pid)), sid, imported.names[sid])
        for sid, shown in found.items()
    ]


def _shown(slot: Slot, items: dict[Pid, CatalogueItem]) -> Broadcast:
    found = resolve_programme(slot.episode_pid, items.get).items if slot.episode_pid else ()
    return Broadcast(**vars(slot), **vars(join_programme(found)))


def _render(made: list[ServiceGuide]) -> bytes:
    return render_xmltv(made, domain=DOMAIN, image_url_template=_TEMPLATE)


_LINES = re.compile(
    rb'<programme start="([^"]+)" stop="([^"]+)" channel="([^"]+)">\s*<title>([^<]+)</title>\s*'
    rb"(?:<sub-title>([^<]*)</sub-title>)?"
)
_FLAGS = ("is_repeat", "is_blanked", "is_signed", "is_audio_described")


@given(guides())
def test_what_was_rendered_is_imported_as_it_was(made: list[ServiceGuide]) -> None:
    """Every broadcast has its pid, its times, its flags, its title and its sub-title again."""
    rendered = _render(made)

    back = _published(_import(rendered))

    assert sorted(_LINES.findall(_render(back))) == sorted(_LINES.findall(rendered))
    flags, flags_back = (
        {s.broadcast_pid: [getattr(s, flag) for flag in _FLAGS] for g in each for s in g.broadcasts}
        for each in (made, back)
    )
    assert flags_back == flags


@given(guides())
def test_an_import_is_stable(made: list[ServiceGuide]) -> None:
    """What is rendered of an import, and imported again, has the same pids; and a third time the same bytes."""
    first = _import(_render(made))
    again = _render(_published(first))

    second = _import(again)

    assert _pids(second) == _pids(first)
    assert _LINES.findall(_render(_published(second))) == _LINES.findall(again)


@given(guides(), st.randoms(use_true_random=False))
def test_a_foreign_guide_gives_the_same_pids_in_any_order(made: list[ServiceGuide], random: Any) -> None:
    """Of programmes that do not overlap: what comes first in the file makes no difference."""
    text = re.sub(rb"\s*<episode-num[^\n]*", b"", _render(made))
    head, *programmes = text.replace(b"</tv>", b"").split(b"<programme ")
    random.shuffle(programmes)
    shuffled = b"<programme ".join([head, *programmes]) + b"</tv>"

    one, other = _import(text), _import(shuffled)

    assert sorted((b["start"], b["end"], b["broadcast_pid"]) for b in _broadcasts(one)) == sorted(
        (b["start"], b["end"], b["broadcast_pid"]) for b in _broadcasts(other)
    )


@pytest.mark.parametrize("key", [SHORT_DAY, LONG_DAY])
def test_days_on_which_the_clocks_change_come_back_whole(key: ScheduleKey) -> None:
    """All their hours are in the one document, and the times are those that went out."""
    made = day_guide(key)

    imported = _import(_render([made]))

    assert [(sid, day) for sid, day in imported.schedules] == [(key.sid, key.date)]
    (back,) = _published(imported)
    assert [(s.start, s.end) for s in back.broadcasts] == [(s.start, s.end) for s in made.broadcasts]


def test_slots_without_a_programme_come_back_as_they_were() -> None:
    """One that is blanked, and one whose episode the catalogue lacks."""
    made = guide([showing(), blanked(NOON + timedelta(hours=1), 2), unknown(NOON + timedelta(hours=2), 3)])

    (back,) = _published(_import(_render([made])))

    assert [(s.is_blanked, s.episode_pid, s.title) for s in back.broadcasts] == [
        (s.is_blanked, s.episode_pid, s.title) for s in made.broadcasts
    ]
    assert back.sid == ALDER


def test_the_guide_of_another_pipeline_is_another_s() -> None:
    """Numbers of a domain that is not ours are no pids of ours."""
    imported = _import(_render([guide([showing()])]), ImportRules(CALENDAR, "birch.example"))

    assert "w0000001" not in _pids(imported)
    assert list(imported.names) == ["alder_one_north_alder_example"]


def test_the_remarks_of_an_import_can_be_read() -> None:
    """Each says of what it speaks and what was done."""
    assert all(re.fullmatch(r"(channel|programme|text) .+: .+", remark) for remark in Remark)
