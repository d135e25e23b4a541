"""Numbers of series and episode as XMLTV has them: from the catalogue, else from titles as "Series 2: Episode 4"."""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from schedules_client.model import Broadcast

_LARGEST: Final = 99_999
_SERIES = r"(?:series|season|staffel|saison|s)\.? *0*(\d{1,5})"
_EPISODE = r"(?:episode|folge|part|ep|e)\.? *#?0*(\d{1,5})(?: *(?:/|of) *\d{1,5})?"
_BOTH: Final = re.compile(rf"{_SERIES}[\s,:.–-]*{_EPISODE}", re.IGNORECASE | re.ASCII)  # noqa: RUF001 - as in titles
_SERIES_ALONE: Final = re.compile(_SERIES, re.IGNORECASE | re.ASCII)
_EPISODE_ALONE: Final = re.compile(_EPISODE, re.IGNORECASE | re.ASCII)
_CROSSED: Final = re.compile(r"0*(\d{1,5})x0*(\d{1,5})", re.IGNORECASE | re.ASCII)
_OF_SO_MANY: Final = re.compile(r"0*(\d{1,5}) ?/ ?\d{1,5}", re.ASCII)
_PARTS: Final = re.compile(r" *: +")


class EpisodeNumber(NamedTuple):
    """Counted from 1; None where it is not known. ``is_derived``: at least one of them was read from a title."""

    series: int | None = None
    episode: int | None = None
    is_derived: bool = False

    @property
    def xmltv_ns(self) -> str:
        """Counted from 0, as the DTD says: ``1.3.``; "" if neither is known."""
        first, second = ("" if number is None else str(number - 1) for number in self[:2])
        return f"{first}.{second}." if first or second else ""

    @property
    def onscreen(self) -> str:
        """``S2E4``, ``E4`` or ``S2``."""
        return "".join(
            f"{letter}{number}" for letter, number in zip("SE", self[:2], strict=True) if number is not None
        )


def number_of(broadcast: Broadcast) -> EpisodeNumber:
    """By the positions of the catalogue, else by the titles of the episode and its series."""
    if broadcast.episode is None:
        return EpisodeNumber()
    series = _usable(broadcast.series.position if broadcast.series else None)
    episode = _usable(broadcast.episode.position)
    if series is not None and episode is not None:
        return EpisodeNumber(series, episode)
    titles = [broadcast.series.title] if broadcast.series else []
    by_title = _numbered([*titles, broadcast.episode.title, *_PARTS.split(broadcast.subtitle)])
    found = EpisodeNumber(
        by_title.series if series is None else series, by_title.episode if episode is None else episode
    )
    return found._replace(is_derived=found[:2] != (series, episode))


def _numbered(titles: Iterable[str]) -> EpisodeNumber:
    """The first number of a series, and the first of an episode."""
    read = [_parse(title.strip().rstrip(".")) for title in titles]
    series = next((one.series for one in read if one.series is not None), None)
    return EpisodeNumber(series, next((one.episode for one in read if one.episode is not None), None))


def _parse(title: str) -> EpisodeNumber:
    if both := _BOTH.fullmatch(title) or _CROSSED.fullmatch(title):
        return EpisodeNumber(_usable(int(both[1])), _usable(int(both[2])))
    if series := _SERIES_ALONE.fullmatch(title):
        return EpisodeNumber(series=_usable(int(series[1])))
    episode = _EPISODE_ALONE.fullmatch(title) or _OF_SO_MANY.fullmatch(title)
    return EpisodeNumber(episode=_usable(int(episode[1]))) if episode else EpisodeNumber()


def _usable(number: int | None) -> int | None:
    return number if number is not None and 1 <= number <= _LARGEST else None
