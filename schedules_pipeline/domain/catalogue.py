"""The catalogue: episodes, series and brands, and the ancestry that leads from one to the next."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import NamedTuple

from schedules_pipeline.domain.identifiers import Pid

MAXIMUM_ANCESTORS = 8
"""Deeper ancestry is cut: it bounds the reads of one build, and no real programme comes near."""


class Kind(StrEnum):
    EPISODE = "episode"
    SERIES = "series"
    BRAND = "brand"


class Synopses(NamedTuple):
    short: str = ""
    medium: str = ""
    long: str = ""


class CatalogueItem(NamedTuple):
    """The fields of a catalogue document that some output uses; all others are left behind.

    A NamedTuple rather than a dataclass: a batch makes thousands of them, in a third of the time.
    """

    pid: Pid
    kind: Kind
    title: str = ""
    parent_pid: Pid | None = None
    image_pid: str = ""
    synopses: Synopses = Synopses()
    warning_text: str | None = None


def changed_fields(before: CatalogueItem, after: CatalogueItem) -> tuple[str, ...]:
    """The names of the fields in which two versions of one item differ, as ``title`` or ``synopses.short``."""
    old, new = (item._asdict() | _synopses_by_name(item) for item in (before, after))
    return tuple(name for name in old if name != "synopses" and old[name] != new[name])


def _synopses_by_name(item: CatalogueItem) -> dict[str, str]:
    return {f"synopses.{length}": text for length, text in item.synopses._asdict().items()}


Lookup = Callable[[Pid], CatalogueItem | None]
"""Finds an item by its pid; None for one that the catalogue does not hold."""


def walk_ancestry(episode: Pid, lookup: Lookup) -> Iterator[tuple[Pid, CatalogueItem | None]]:
    """Yield the episode and then its ancestors, nearest first, with the item that was found for each.

    Ends at an item that is missing (which is still yielded, for whoever depends on it must hear when
    it arrives), at a cycle, or after :data:`MAXIMUM_ANCESTORS`.
    """
    seen: set[Pid] = set()
    pid: Pid | None = episode
    while pid is not None and pid not in seen and len(seen) <= MAXIMUM_ANCESTORS:
        seen.add(pid)
        item = lookup(pid)
        yield pid, item
        pid = item.parent_pid if item is not None else None
