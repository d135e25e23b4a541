"""The catalogue: episodes, series and brands, and the ancestry that leads from one to the next."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum

from schedules_pipeline.domain.identifiers import Pid

MAXIMUM_ANCESTORS = 8
"""Deeper ancestry is cut, to bound the reads of one build. Real programmes have at most three or four."""


class Kind(StrEnum):
    EPISODE = "episode"
    SERIES = "series"
    BRAND = "brand"


@dataclass(frozen=True, slots=True)
class Synopses:
    short: str
    medium: str
    long: str

    @property
    def texts(self) -> tuple[str, str, str]:
        """From the shortest to the longest."""
        return self.short, self.medium, self.long


NO_SYNOPSES = Synopses("", "", "")


@dataclass(frozen=True, slots=True)
class CatalogueItem:
    """The fields of a catalogue document that some output uses. Declaring a field here adds it to the stored copies."""

    pid: Pid
    kind: Kind
    title: str = ""
    parent_pid: Pid | None = None
    image_pid: str = ""
    synopses: Synopses = NO_SYNOPSES
    warning_text: str | None = None
    presentation_title: str = ""
    position: int | None = None

    def __hash__(self) -> int:
        """Cheaper than that of all fields: a batch looks up thousands of items."""
        return hash((self.pid, self.title))


def changed_fields(before: CatalogueItem, after: CatalogueItem) -> tuple[str, ...]:
    """The names of the fields in which two versions of one item differ, as ``title`` or ``synopses.short``."""
    return tuple(_differing("", before, after))


def _differing(prefix: str, before: object, after: object) -> Iterator[str]:
    for name in (field.name for field in fields(before)):  # type: ignore[arg-type]
        old, new = getattr(before, name), getattr(after, name)
        if is_dataclass(old):
            yield from _differing(f"{prefix}{name}.", old, new)
        elif old != new:
            yield f"{prefix}{name}"


Lookup = Callable[[Pid], CatalogueItem | None]
"""Finds an item by its pid; None if the catalogue lacks it."""


def walk_ancestry(episode: Pid, lookup: Lookup) -> Iterator[tuple[Pid, CatalogueItem | None]]:
    """Yield the episode and then its ancestors, nearest first, with the item that was found for each.

    Ends at a missing item, at a cycle, or after :data:`MAXIMUM_ANCESTORS`. The missing item is yielded too, since
    the schedule depends on its arrival.
    """
    seen: set[Pid] = set()
    pid: Pid | None = episode
    while pid is not None and pid not in seen and len(seen) <= MAXIMUM_ANCESTORS:
        seen.add(pid)
        item = lookup(pid)
        yield pid, item
        pid = item.parent_pid if item is not None else None
