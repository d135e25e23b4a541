"""The XMLTV import: the documents made of a guide, its channels, and its texts."""

import re
from datetime import date

import pytest
from documents.xmltv_guides import (
    CALENDAR,
)
from documents.xmltv_imports import (
    broadcasts_of,
    imported_from,
    parse_imported,
    programme_element,
    times_of,
    tv_document,
)

from schedules_pipeline.documents.xmltv_import import ImportRules
from schedules_pipeline.documents.xmltv_reader import Remark

_DAY = ("bbc1_uk", date(2026, 3, 28))


def test_a_programme_becomes_a_broadcast_an_episode_and_a_brand() -> None:
    """The title is the brand's, the sub-title the episode's; the documents are those that the pipeline takes in."""
    inside = """<title>Salt and Slate</title><sub-title>Low Tide</sub-title><desc>The boat
        is late.</desc><icon src="https://i.example/p0000009.jpg"/><previously-shown/>
        <subtitles type="deaf-signed"/><rating system="advisory"><value>Strong language</value></rating>
        <keyword>audio-described</keyword>"""

    imported = imported_from(tv_document(programme_element(inside=inside)))

    (broadcast,) = broadcasts_of(imported)
    episode = imported.catalogue[broadcast["episode_pid"]]
    brand = imported.catalogue[episode["parent_pid"]]
    assert imported.names == {"bbc1_uk": "One"}
    assert times_of(imported) == [("2026-03-28T12:00:00Z", "2026-03-28T12:30:00Z")]
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
    parse_imported(imported)


def test_a_title_alone_is_an_episode_alone() -> None:
    """A film belongs to no brand."""
    imported = imported_from(tv_document(programme_element()))

    (item,) = imported.catalogue.values()
    assert (item["type"], item["title"], item["parent_pid"]) == ("episode", "Salt and Slate", None)


@pytest.mark.parametrize(("length", "field"), [(90, "short"), (91, "medium"), (180, "medium"), (181, "long")])
def test_a_description_goes_where_its_length_belongs(length: int, field: str) -> None:
    """Up to 90 characters, up to 180, and above."""
    imported = imported_from(
        tv_document(programme_element(inside=f"<title>Salt</title><desc>{'x' * length}</desc>"))
    )

    (item,) = imported.catalogue.values()
    assert [name for name, text in item["synopses"].items() if text] == [field]


def test_what_one_showing_lacks_is_taken_from_another() -> None:
    """A description belongs to the episode, so every broadcast of it gets the text."""
    bare, told = "<title>Salt</title><sub-title>Low</sub-title>", "<desc>A boat.</desc>"
    later = programme_element("202603281300 +0000", "202603281330 +0000", bare + told)

    imported = imported_from(tv_document(programme_element(inside=bare), later))

    assert [
        item["synopses"]["short"] for item in imported.catalogue.values() if item["type"] == "episode"
    ] == ["A boat."]


def test_the_guide_says_when_it_was_made() -> None:
    """Where it does not, it was made when it is imported."""
    dated = b'<tv date="20260301 +0000">' + tv_document(programme_element())[4:]
    timed = b'<tv date="20260301100000 +0100">' + tv_document(programme_element())[4:]

    assert imported_from(timed).schedules[_DAY]["published_at"] == "2026-03-01T09:00:00Z"
    assert imported_from(dated).schedules[_DAY]["published_at"] == "2026-03-28T12:00:00Z"


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
    """Letters and digits stay, others become underscores; an id of the pipeline's own domain gives the sid."""
    assert list(imported_from(tv_document(programme_element(channel=channel), channel="")).names) == [sid]


def test_channels_that_come_to_the_same_are_told_apart() -> None:
    """Each gets a suffix of its own id, in any order; an id without letters gives the suffix alone."""
    ids = ["BBC.1", "bbc-1", "bbc2", "日本"]

    first, second = (
        imported_from(tv_document(*(programme_element(channel=channel) for channel in order), channel=""))
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

    imported = imported_from(
        tv_document(programme_element(channel="a"), programme_element(channel="b"), channel=twice)
    )

    assert imported.names == {"a": "One", "b": "b"}
    assert imported.remarks == {Remark.CHANNEL_REPEATED: 1, Remark.CHANNEL_UNDESCRIBED: 1}


def test_texts_that_the_pipeline_would_reject_are_cut() -> None:
    """And counted."""
    inside = f"<title>{'t' * 600}</title><sub-title>{'s' * 600}</sub-title><desc>{'d' * 6000}</desc>"

    imported = imported_from(tv_document(programme_element(inside=inside)))

    items, _ = parse_imported(imported)
    assert sorted(len(item.title) for item in items.values()) == [500, 500]
    assert imported.remarks == {Remark.SHORTENED: 3}


def test_a_name_that_is_too_long_for_the_setting_is_cut() -> None:
    """What services are called can be handed on as it is."""
    channel = f'<channel id="bbc1.uk"><display-name>{"x" * 101}</display-name></channel>'

    imported = imported_from(tv_document(programme_element(), channel=channel))

    assert imported.names == {"bbc1_uk": "x" * 99 + "…"}
    assert imported.remarks == {Remark.SHORTENED: 1}


def test_of_several_languages_the_first_counts() -> None:
    """The sub-title and the description are then in that of the title; or all in the language that is asked for."""
    inside = """<title lang="de">Salz</title><title lang="en_GB">Salt</title>
        <sub-title lang="en">Low Tide</sub-title><sub-title lang="de">Ebbe</sub-title>"""
    titles = [
        sorted(
            item["title"]
            for item in imported_from(tv_document(programme_element(inside=inside)), rules).catalogue.values()
        )
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
    imported = imported_from(tv_document(programme_element(inside=inside)))

    assert len(broadcasts_of(imported)) == 1
    assert imported.remarks == {Remark.NO_TITLE: 1}
    parse_imported(imported)


def test_an_image_from_elsewhere_is_not_taken() -> None:
    """We could not make its address again."""
    imported = imported_from(
        tv_document(
            programme_element(inside='<title>Salt</title><icon src="https://elsewhere.example/a.jpg"/>')
        )
    )

    assert [item["image_pid"] for item in imported.catalogue.values()] == [""]


@pytest.mark.parametrize(
    ("broken", "remark"),
    [(programme_element("soon"), Remark.NO_START), (programme_element(channel=""), Remark.NO_CHANNEL)],
)
def test_one_bad_programme_does_not_cost_the_others(broken: str, remark: Remark) -> None:
    """It is left out and counted."""
    imported = imported_from(tv_document(broken, programme_element()))

    assert len(broadcasts_of(imported)) == 1
    assert imported.remarks == {remark: 1}
