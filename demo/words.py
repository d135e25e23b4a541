"""Invents titles and synopses from a random number generator."""

from random import Random
from typing import Final


def _list(text: str, separator: str | None = None) -> tuple[str, ...]:
    return tuple(text.split(separator))


_ADJECTIVES: Final = _list(
    "Amber Brittle Copper Crooked Distant Drowned Early Faded Glass Hidden Hollow Idle Ivory Kindly Lantern "
    "Late Marble Northern Paper Patient Quiet Russet Salt Second Silver Slow Tidal Velvet Wandering Winter"
)
_NOUNS: Final = _list(
    "Almanac Anchor Atlas Bakery Beacon Bridge Chapel Compass Cottage Estuary Ferry Garden Harbour "
    "Inheritance Junction Kiln Ledger Lighthouse Meadow Mill Orchard Parade Quarry Quay Regatta Signal "
    "Tenant Verdict Viaduct Weir"
)
_PEOPLE: Final = _list("Maren Tobias Ottoline Fenn Isolde Bram Cressida Idunn Wilf Zora")
_DEEDS: Final = _list(
    "finds an unsigned letter|breaks a promise|opens the old workshop|misses the last boat|returns with news|"
    "takes a chance|meets a rival|sells the family clock|learns the truth|is asked to judge",
    "|",
)
_PLACES: Final = _list(
    "by the canal|above the bakery|on the night ferry|in the town hall|under the viaduct|at the harvest fair|"
    "behind the chapel|across the border|on the moor|at the water's edge",
    "|",
)


def invent_title(rng: Random) -> str:
    """Return a programme's title, such as "The Hollow Viaduct"."""
    pattern = rng.choice(("{} {}", "The {} {}", "One {} {}", "{} {} Revisited"))
    return pattern.format(rng.choice(_ADJECTIVES), rng.choice(_NOUNS))


def invent_synopsis(rng: Random, sentences: int = 1) -> str:
    """Return that many sentences about what happens."""
    return " ".join(
        f"{rng.choice(_PEOPLE)} {rng.choice(_DEEDS)} {rng.choice(_PLACES)}." for _ in range(sentences)
    )
