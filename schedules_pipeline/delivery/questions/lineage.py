"""Whether an episode is below a series or brand that its document does not name.

A document names the nearest series and the topmost brand. Only the catalogue copies contain the items between them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from schedules_pipeline.documents.catalogue_document import parse_copy
from schedules_pipeline.domain.catalogue import MAXIMUM_ANCESTORS, CatalogueItem, Kind, walk_ancestry
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.errors import InvalidRecord

_READ_AT_ONCE = 500


class CopyReader(Protocol):
    def read(self, pids: Sequence[Pid]) -> Mapping[Pid, bytes]:
        """The catalogue copies that exist."""


class Lineage:
    """For one request only: it remembers items as first read.

    A copy that cannot be decoded counts as missing; reconciliation repairs it.
    """

    def __init__(self, copies: CopyReader) -> None:
        self._copies = copies
        self._items: dict[Pid, CatalogueItem | None] = {}

    def is_always_named(self, ancestor: Pid) -> bool:
        """Whether all documents below the item name it: true for an episode, and for a brand without a parent."""
        self._read({ancestor})
        item = self._items[ancestor]
        if item is None:
            return False
        return item.kind is Kind.EPISODE or (item.kind is Kind.BRAND and item.parent_pid is None)

    def below(self, ancestor: Pid, episodes: Iterable[Pid]) -> set[Pid]:
        """The episodes below ``ancestor``. Reads at most nine levels, each in batches."""
        among = set(episodes) - {ancestor}
        self._read_upwards(among)
        return {
            pid for pid in among if any(step == ancestor for step, _ in walk_ancestry(pid, self._items.get))
        }

    def _read_upwards(self, pids: set[Pid]) -> None:
        for _ in range(MAXIMUM_ANCESTORS + 1):
            unread = pids - self._items.keys()
            self._read(unread)
            items = (self._items[pid] for pid in pids)
            pids = {item.parent_pid for item in items if item is not None and item.parent_pid is not None}

    def _read(self, pids: set[Pid]) -> None:
        ordered = sorted(pids)
        for at in range(0, len(ordered), _READ_AT_ONCE):
            self._read_batch(ordered[at : at + _READ_AT_ONCE])

    def _read_batch(self, pids: Sequence[Pid]) -> None:
        found = self._copies.read(pids)
        for pid in pids:
            self._items[pid] = _parse(pid, found.get(pid))


def _parse(pid: Pid, content: bytes | None) -> CatalogueItem | None:
    try:
        return None if content is None else parse_copy(pid, content)
    except InvalidRecord:
        return None
