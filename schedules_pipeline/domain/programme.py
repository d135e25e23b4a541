"""What viewers are told of an episode once its ancestry is known: titles, image, series and brand."""

from collections.abc import Sequence
from dataclasses import dataclass

from schedules_pipeline.domain.catalogue import CatalogueItem, Kind, Lookup, walk_ancestry
from schedules_pipeline.domain.identifiers import Pid


@dataclass(frozen=True, slots=True)
class Programme:
    """An episode joined to its ancestors.

    ``reads`` holds every pid that was looked up, episode first, *including those that were missing*:
    the programme depends on each of them. ``missing`` are those that were not found.
    """

    episode_pid: Pid
    episode: CatalogueItem | None
    series: CatalogueItem | None
    brand: CatalogueItem | None
    title: str
    subtitle: str
    image_pid: str
    reads: tuple[Pid, ...]
    missing: tuple[Pid, ...]


def resolve_programme(episode_pid: Pid, lookup: Lookup) -> Programme:
    """Join an episode to its ancestors. Pure: the same items give the same programme."""
    steps = list(walk_ancestry(episode_pid, lookup))
    chain = [item for _, item in steps if item is not None]
    ancestors = chain[1:]
    title, subtitle = _titles(chain)
    return Programme(
        episode_pid=episode_pid,
        episode=chain[0] if chain else None,
        series=_first(ancestors, Kind.SERIES),
        brand=_first(ancestors[::-1], Kind.BRAND),
        title=title,
        subtitle=subtitle,
        image_pid=next((item.image_pid for item in chain if item.image_pid), ""),
        reads=tuple(pid for pid, _ in steps),
        missing=tuple(pid for pid, item in steps if item is None),
    )


def _titles(chain: Sequence[CatalogueItem]) -> tuple[str, str]:
    """The outermost title, and the rest of the chain joined; empty titles are passed over."""
    titles = [item.title for item in reversed(chain) if item.title]
    return (titles[0], ": ".join(titles[1:])) if titles else ("", "")


def _first(items: Sequence[CatalogueItem], kind: Kind) -> CatalogueItem | None:
    return next((item for item in items if item.kind is kind), None)
