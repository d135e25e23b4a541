"""Numbers of series and episode: from the catalogue, from titles as "Series 2: Episode 4", and as XMLTV has them."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple, Self

from schedules_pipeline.domain.programme import Programme

_LARGEST: Final = 99_999
"""Larger ones are no numbers for people, and overflow in some players."""

_TEXTS_REMEMBERED: Final = 4_096
"""Titles that are numbers are few, and in a guide again and again."""

_SERIES = r"(?:series|season|staffel|saison|s)\.? *0*(\d{1,5})"
_EPISODE = r"(?:episode|folge|part|ep|e)\.? *#?0*(\d{1,5})(?: *(?:/|of) *\d{1,5})?"
_BOTH: Final = re.compile(rf"{_SERIES}[\s,:.–-]*{_EPISODE}", re.IGNORECASE | re.ASCII)  # noqa: RUF001 - as in titles
_SERIES_ALONE: Final = re.compile(_SERIES, re.IGNORECASE | re.ASCII)
_EPISODE_ALONE: Final = re.compile(_EPISODE, re.IGNORECASE | re.ASCII)
_CROSSED: Final = re.compile(r"0*(\d{1,5})x0*(\d{1,5})", re.IGNORECASE | re.ASCII)
_OF_SO_MANY: Final = re.compile(r"0*(\d{1,5}) ?/ ?\d{1,5}", re.ASCII)
_DIGIT: Final = re.compile("[0-9]")
_PARTS: Final = re.compile(r" *: +")


class EpisodeNumber(NamedTuple):
    """Counted from 1; None where it is not known. ``is_derived``: at least one of them was read from a title."""

    series: int | None = None
    episode: int | None = None
    is_derived: bool = False

    @property
    def xmltv_ns(self) -> str:
        """Counted from 0, as the DTD says: ``1.3.``; "" where neither is known. Without a part, because Kodi takes
        ``0/1`` for the episode.
        """
        first, second = ("" if number is None else str(number - 1) for number in self[:2])
        return f"{first}.{second}." if first or second else ""

    @property
    def onscreen(self) -> str:
        """``S2E4``, ``E4`` or ``S2``, which Kodi and Plex read."""
        return "".join(
            f"{letter}{number}" for letter, number in zip("SE", self[:2], strict=True) if number is not None
        )

    @classmethod
    def parse_xmltv_ns(cls, text: str) -> Self:
        """Of ``1 . 3/6 . 0/1``, series 2 and episode 4."""
        found = [part.partition("/")[0] for part in text.replace(" ", "").split(".")]
        numbers = [int(part) + 1 if re.fullmatch("[0-9]{1,5}", part) else None for part in found]
        series, episode, *_ = *map(_usable, numbers), None
        return cls(series, episode)

    @classmethod
    @lru_cache(_TEXTS_REMEMBERED)
    def parse_onscreen(cls, text: str) -> Self:
        """Of ``S02E05``, ``2x05``, ``Series 2, Episode 5``, ``Episode 5`` or ``5/6``; of anything else, neither."""
        if _DIGIT.search(text) is None:
            return cls()
        text = text.strip().rstrip(".")
        if both := _BOTH.fullmatch(text) or _CROSSED.fullmatch(text):
            return cls(_usable(int(both[1])), _usable(int(both[2])))
        if series := _SERIES_ALONE.fullmatch(text):
            return cls(series=_usable(int(series[1])))
        episode = _EPISODE_ALONE.fullmatch(text) or _OF_SO_MANY.fullmatch(text)
        return cls(episode=_usable(int(episode[1]))) if episode else cls()


def number_of(programme: Programme) -> EpisodeNumber:
    """By the positions of the catalogue, else by the titles of the episode and its series."""
    if programme.episode is None:
        return EpisodeNumber()
    by_position = EpisodeNumber(
        _usable(programme.series.position if programme.series else None),
        _usable(programme.episode.position),
    )
    if None not in by_position[:2]:
        return by_position
    titles = [programme.series.title] if programme.series else []
    by_title = _numbered([*titles, programme.episode.title, *_PARTS.split(programme.subtitle)])
    series, episode = (
        known if known is not None else read
        for known, read in zip(by_position[:2], by_title[:2], strict=True)
    )
    return EpisodeNumber(series, episode, (series, episode) != by_position[:2])


def _numbered(titles: Iterable[str]) -> EpisodeNumber:
    """The first number of a series, and the first of an episode."""
    read = [EpisodeNumber.parse_onscreen(title) for title in titles]
    series = next((one.series for one in read if one.series is not None), None)
    return EpisodeNumber(series, next((one.episode for one in read if one.episode is not None), None))


def _usable(number: int | None) -> int | None:
    return number if number is not None and 1 <= number <= _LARGEST else None
