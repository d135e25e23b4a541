"""Full-text search for programmes in the guide. Pure."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from schedules_pipeline.domain.airing import Airing
from schedules_pipeline.domain.published import Broadcast

MOST_CHARACTERS: Final = 100
"""Of a query; longer queries are cut."""

MOST_WORDS: Final = 8
MOST_HITS: Final = 100

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Found:
    """``has_more``: there are more hits than these."""

    hits: Sequence[Airing]
    has_more: bool


def parse_query(text: str) -> tuple[str, ...]:
    """The words of a query, without case and accents."""
    return tuple(dict.fromkeys(_WORD.findall(_fold(text[:MOST_CHARACTERS]))))[:MOST_WORDS]


def search(airings: Iterable[Airing], words: Sequence[str]) -> Found:
    """The airings whose titles and synopses have a word that begins with each of ``words``; in the order given."""
    patterns = [re.compile(rf"\b{re.escape(word)}") for word in words]
    hits = list(islice((airing for airing in airings if _matches(airing.broadcast, patterns)), MOST_HITS + 1))
    return Found(hits[:MOST_HITS], len(hits) > MOST_HITS)


def _matches(broadcast: Broadcast, patterns: Sequence[re.Pattern[str]]) -> bool:
    text = _fold(" ".join(_texts(broadcast)))
    return bool(patterns) and all(pattern.search(text) for pattern in patterns)


def _texts(broadcast: Broadcast) -> Iterable[str]:
    yield broadcast.title
    yield broadcast.subtitle
    if broadcast.episode:
        yield from broadcast.episode.synopses.texts
        yield broadcast.episode.pid


def _fold(text: str) -> str:
    """Lower case without accents, for comparison."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(char for char in decomposed if not unicodedata.combining(char)).casefold()
