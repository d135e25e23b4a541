"""What the catalogue says of an episode once its ancestry is known: titles, image, series and brand."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schedules_pipeline.domain.catalogue import (
    MAXIMUM_ANCESTORS,
    CatalogueItem,
    Kind,
    Lookup,
    Synopses,
    walk_ancestry,
)
from schedules_pipeline.domain.identifiers import Pid

_POSITION = {"description": "The number within its parent. Omitted where the catalogue gives none."}


@dataclass(frozen=True, kw_only=True)
class TitledItem:
    """A series or a brand."""

    pid: Pid
    title: str
    position: int | None = field(default=None, metadata=_POSITION)


@dataclass(frozen=True, kw_only=True)
class Episode:
    """What the catalogue says of the episode itself."""

    pid: Pid
    title: str
    presentation_title: str = field(
        default="", metadata={"description": "Shown in place of the title. Omitted where there is none."}
    )
    synopses: Synopses
    image_pid: str = field(metadata={"description": "Its own, or that of the nearest ancestor that has one."})
    warning_text: str | None
    position: int | None = field(default=None, metadata=_POSITION)


@dataclass(frozen=True, kw_only=True)
class Programme:
    """What the catalogue says of a slot. If the episode is unknown, every object is None and every title "".

    Declaration order is the order of the fields in every document. A field that is added later has a default,
    and documents omit it where it has that default: their bytes, and so their versions, stay as they were.
    """

    episode: Episode | None = field(
        metadata={"description": "Null if the catalogue does not know it or the broadcast is blanked."}
    )
    series: TitledItem | None = field(metadata={"description": "The nearest series above the episode."})
    brand: TitledItem | None = field(metadata={"description": "The topmost brand."})
    title: str = field(metadata={"description": "The outermost title of the episode and its ancestors."})
    subtitle: str = field(metadata={"description": "The other titles, outermost first."})


class Resolution(NamedTuple):
    """An episode's ancestry as it was found: ``items``, nearest first, and ``reads``, every pid looked up.

    A document that shows the episode depends on each of ``reads``, *also on the last one, which may be missing*.
    """

    items: tuple[CatalogueItem, ...]
    reads: tuple[Pid, ...]

    @property
    def ancestors(self) -> tuple[Pid, ...]:
        """Every pid looked up but the episode's own."""
        return self.reads[1:]

    @property
    def missing(self) -> tuple[Pid, ...]:
        """The pid at which the ancestry ended since the catalogue lacks it, if it did."""
        return self.reads[len(self.items) :]

    @property
    def programme(self) -> Programme:
        return join_programme(self.items)


def resolve_programme(episode_pid: Pid, lookup: Lookup) -> Resolution:
    """Look up an episode and its ancestors."""
    items, reads = [], []
    for pid, item in walk_ancestry(episode_pid, lookup):
        reads.append(pid)
        if item is not None:
            items.append(item)
    return Resolution(tuple(items), tuple(reads))


def resolve_programmes(episode_pids: Iterable[Pid], lookup: Lookup) -> dict[Pid, Resolution]:
    """:func:`resolve_programme` of each. The ancestry of a parent is walked once for all its children."""
    found: dict[Pid, Resolution] = {}
    above: dict[Pid, Resolution] = {}
    for pid in episode_pids:
        item = lookup(pid)
        if item is None:
            found[pid] = Resolution((), (pid,))
        elif item.parent_pid is None:
            found[pid] = Resolution((item,), (pid,))
        else:
            parents = above.get(item.parent_pid)
            if parents is None:
                parents = above[item.parent_pid] = resolve_programme(item.parent_pid, lookup)
            if pid in parents.reads or len(parents.reads) > MAXIMUM_ANCESTORS:
                # The walk from the child ends earlier than the walk from its parent.
                found[pid] = resolve_programme(pid, lookup)
            else:
                found[pid] = Resolution((item, *parents.items), (pid, *parents.reads))
    return found


def join_programme(items: Sequence[CatalogueItem]) -> Programme:
    """Join an episode to its ancestors, given nearest first. Without items the episode is unknown."""
    title, subtitle = _titles(items)
    return Programme(
        episode=_episode(items) if items else None,
        series=_first(items[1:], Kind.SERIES),
        brand=_first(items[:0:-1], Kind.BRAND),
        title=title,
        subtitle=subtitle,
    )


def _episode(items: Sequence[CatalogueItem]) -> Episode:
    own = items[0]
    return Episode(
        pid=own.pid,
        title=own.title,
        presentation_title=own.presentation_title,
        synopses=own.synopses,
        image_pid=next((item.image_pid for item in items if item.image_pid), ""),
        warning_text=own.warning_text,
        position=own.position,
    )


def _titles(items: Sequence[CatalogueItem]) -> tuple[str, str]:
    """The outermost title, and the rest of the chain joined; empty titles are passed over."""
    titles = [title for item in reversed(items) if (title := item.presentation_title or item.title)]
    return (titles[0], ": ".join(titles[1:])) if titles else ("", "")


def _first(items: Sequence[CatalogueItem], kind: Kind) -> TitledItem | None:
    found = next((item for item in items if item.kind is kind), None)
    return None if found is None else TitledItem(pid=found.pid, title=found.title, position=found.position)
