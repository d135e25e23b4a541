"""Numbers of episodes through an import: positions, and a title for an episode that has none."""

import pytest
from builders import an_episode
from documents.xmltv_guides import DOMAIN, guide, showing
from documents.xmltv_imports import imported_from, parse_imported, programme_element, tv_document
from renderers import render_xmltv

from schedules_pipeline.documents.xmltv_reader import Remark
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.domain.programme import Programme, TitledItem, resolve_programme

_SALT = "<title>Salt</title>"
_BY_NS = '<episode-num system="xmltv_ns">1 . 4/10 . 0/1</episode-num>'
_ON_SCREEN = '<episode-num system="onscreen">S02E05</episode-num>'


def _shown(content: bytes) -> Programme:
    """The programme of the first broadcast, as partners would see it."""
    items, schedules = parse_imported(imported_from(content))
    slot = next(slot for slots in schedules.values() for slot in slots)
    return resolve_programme(Pid(str(slot.episode_pid)), items.get).programme


@pytest.mark.parametrize(
    ("inside", "subtitle"),
    [
        (_ON_SCREEN, "S02E05"),
        (_BY_NS, "S2E5"),
        (_ON_SCREEN + _BY_NS, "S02E05"),
        ("<sub-title>Low Tide</sub-title>" + _BY_NS, "Low Tide"),
        ("<sub-title>Low Tide</sub-title>" + _ON_SCREEN, "Low Tide"),
    ],
)
def test_a_number_is_a_position_and_stands_in_for_a_title(inside: str, subtitle: str) -> None:
    """The series has no title, so the titles are those of the guide."""
    programme = _shown(tv_document(programme_element(inside=_SALT + inside)))

    assert (programme.title, programme.subtitle) == ("Salt", subtitle)
    assert programme.series is not None
    assert programme.episode is not None
    assert (programme.series.position, programme.episode.position) == (2, 5)


def test_a_number_of_other_words_is_a_title() -> None:
    """What cannot be read as a number gives no position."""
    number = '<episode-num system="onscreen">Neujahr</episode-num>'
    programme = _shown(tv_document(programme_element(inside=_SALT + number)))

    assert programme.subtitle == "Neujahr"
    assert programme.series is None


def test_known_numbers_come_back_and_derived_ones_do_not() -> None:
    """Positions of the catalogue are in the guide as such; what was read from a title stays a title."""
    known = showing(series=TitledItem(pid=Pid("s0000001"), title="Series 2", position=2))
    derived = showing()

    back = [
        _shown(render_xmltv([guide([one])], domain=DOMAIN, image_url_template="")) for one in (known, derived)
    ]

    assert [one.subtitle for one in back] == [known.subtitle] * 2
    assert [one.series and one.series.position for one in back] == [2, None]


def test_a_known_series_comes_back() -> None:
    """Both positions are known, so nothing is derived."""
    series = TitledItem(pid=Pid("s0000001"), title="Series 2", position=2)
    known = showing(series=series, episode=an_episode(position=4))

    back = _shown(render_xmltv([guide([known])], domain=DOMAIN))

    assert back.series == TitledItem(pid=series.pid, title="", position=2)
    assert back.episode is not None
    assert (back.episode.position, back.subtitle) == (4, known.subtitle)


def test_a_channel_may_be_described_after_its_programmes() -> None:
    """It has its name, and nothing is remarked."""
    channel = '<channel id="bbc1.uk"><display-name>One</display-name></channel>'
    imported = imported_from(tv_document(programme_element(), channel, channel=""))

    assert imported.names == {"bbc1_uk": "One"}
    assert Remark.CHANNEL_UNDESCRIBED not in imported.remarks
