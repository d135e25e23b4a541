"""Numbers of series and episode: where they come from, and how players read them."""

import re

import pytest
from builders import BRAND, SERIES, a_broadcast, an_episode
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.documents.episode_numbers import EpisodeNumber, number_of
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.domain.programme import TitledItem

_NUMBERS = st.none() | st.integers(1, 99_999)


@pytest.mark.parametrize(
    ("text", "series", "episode"),
    [
        ("Series 2: Episode 4", 2, 4),
        ("Series 2, Episode 4", 2, 4),
        ("S02E05", 2, 5),
        ("s2 ep5", 2, 5),
        ("S01E05/10", 1, 5),
        ("2x05", 2, 5),
        ("Series 2", 2, None),
        ("Season 12", 12, None),
        ("Episode 4", None, 4),
        ("Episode 4 of 6", None, 4),
        ("4/6", None, 4),
        ("E4", None, 4),
        ("The Lantern", None, None),
        ("1984", None, None),
        ("S", None, None),
        ("", None, None),
        ("Episode 0", None, None),
    ],
)
def test_titles_that_are_numbers_are_read(text: str, series: int | None, episode: int | None) -> None:
    """A text is a number only as a whole."""
    assert EpisodeNumber.parse_onscreen(text) == (series, episode, False)


def test_positions_are_known_numbers() -> None:
    """Where the catalogue has both positions, titles do not count."""
    series = TitledItem(pid=Pid("s0000001"), title="Series 9", position=2)
    shown = a_broadcast(series=series, episode=an_episode(title="Episode 8", position=4))

    assert number_of(shown) == (2, 4, False)


def test_titles_stand_in_for_positions() -> None:
    """A number of which a part was read from a title is derived."""
    shown = a_broadcast(episode=an_episode(title="Episode 4"), series=SERIES, subtitle="Series 2: Episode 4")
    placed = a_broadcast(episode=an_episode(position=4), series=SERIES)

    assert number_of(shown) == (2, 4, True)
    assert number_of(placed) == (2, 4, True)
    assert number_of(a_broadcast(series=None, brand=BRAND, subtitle="The Lantern")) == (None, None, False)


@given(_NUMBERS, _NUMBERS)
def test_players_read_the_same_numbers(series: int | None, episode: int | None) -> None:
    """By the rules of Kodi and Jellyfin for ``xmltv_ns``, and by Kodi's for ``onscreen``, where it knows an episode."""
    number = EpisodeNumber(series, episode)

    if number.xmltv_ns:
        assert _as_players_read(number.xmltv_ns) == (series, episode)
        assert EpisodeNumber.parse_xmltv_ns(number.xmltv_ns) == number
        assert EpisodeNumber.parse_onscreen(number.onscreen) == number
    if episode is not None:
        found = re.fullmatch(r"(?:[sS]([0-9]+))?[eE][pP]?([0-9]+)", number.onscreen)
        assert found is not None
        assert found.groups() == (None if series is None else str(series), str(episode))


def _as_players_read(xmltv_ns: str) -> tuple[int | None, int | None]:
    series, episode, part = xmltv_ns.split(".")
    assert not part, "Kodi would take the part for the episode"
    return int(series) + 1 if series else None, int(episode) + 1 if episode else None
