"""Finds the programmes of a batch of schedules, registering every dependency before it is relied upon.

The rule (invariant 4): a schedule is registered as a dependant of a pid *before* our copy of that pid is
read for it. A dependency that the committed state already has is registered already; only new ones are
written, and what was read before they were is read again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from schedules_pipeline.documents.catalogue_document import parse_copy
from schedules_pipeline.domain.catalogue import MAXIMUM_ANCESTORS, CatalogueItem
from schedules_pipeline.domain.causes import Cause
from schedules_pipeline.domain.dependencies import Entry, EpisodeMention, find_ancestors
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.domain.programme import Resolution, resolve_programme
from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.publishing.follow_catalogue import CatalogueFollower
from schedules_pipeline.publishing.ports import PublishingStore

Programmes = Mapping[Pid, Resolution]


@dataclass(slots=True)
class Needs:
    """One schedule's part in a batch: the episodes that it shows, and what is not registered of it yet.

    ``ancestors`` is filled in by the resolver.
    """

    episodes: set[Pid]
    unregistered_shown: Sequence[EpisodeMention]
    registered_ancestors: frozenset[Pid]
    ancestors: frozenset[Pid] = frozenset()

    def unregistered(self, programmes: Programmes) -> list[Entry]:
        """The entries still to be registered, now that these programmes are known."""
        self.ancestors = find_ancestors(self.episodes, lambda pid: programmes[pid].reads)
        fresh = [Entry(*mention) for mention in self.unregistered_shown]
        fresh += [Entry(pid) for pid in self.ancestors - self.registered_ancestors]
        return fresh

    def all_registered(self) -> None:
        self.unregistered_shown = ()
        self.registered_ancestors |= self.ancestors


class ProgrammeResolver:
    """For one batch, and not for keeping: it remembers items as they were when the batch read them."""

    def __init__(
        self, store: PublishingStore, follower: CatalogueFollower, token: int, refresh_cause: Cause | None
    ) -> None:
        """``refresh_cause``: compare every copy that is used with its source first; None to trust them."""
        self._store = store
        self._follower = follower
        self._token = token
        self._refresh_cause = refresh_cause
        self._items: dict[Pid, CatalogueItem | None] = {}
        self._programmes: dict[Pid, Resolution] = {}
        self._sourced: set[Pid] = set()
        self._unreadable: set[Pid] = set()

    def resolve(self, batch: Mapping[ScheduleKey, Needs]) -> Programmes:
        """The programme of every episode shown; on return all that was read was registered before."""
        episodes: set[Pid] = set().union(*[needs.episodes for needs in batch.values()])
        while True:
            resolved = self._resolve_from_copies(episodes)
            touched = {key: needs for key, needs in batch.items() if not needs.episodes.isdisjoint(resolved)}
            if self._register(touched) or self._consult_source():
                continue
            return self._programmes

    def _register(self, batch: Mapping[ScheduleKey, Needs]) -> bool:
        fresh = {key: entries for key, n in batch.items() if (entries := n.unregistered(self._programmes))}
        if not fresh:
            return False
        self._store.references.register(fresh, self._token)
        for key in fresh:
            batch[key].all_registered()
        pids = {entry.pid for entries in fresh.values() for entry in entries}
        # What the source said of them before, it said while this schedule was not registered, and nobody would
        # have been told of what came since.
        self._sourced -= pids
        self._forget(pids)
        return True

    def _consult_source(self) -> bool:
        """Ask the source for items that we lack (or, in a refresh, for all), each once after it was registered."""
        wanted = {pid for programme in self._programmes.values() for pid in programme.reads} - self._sourced
        if self._refresh_cause is None:
            wanted = {pid for pid in wanted if self._items[pid] is None}
        if not wanted:
            return False
        self._sourced |= wanted
        held = {pid for pid in wanted if self._items[pid] is not None or pid in self._unreadable}
        self._follower.insert_if_absent(sorted(wanted - held))
        if self._refresh_cause is not None:
            self._follower.follow(dict.fromkeys(sorted(held), self._refresh_cause))
        self._forget(wanted)
        return True

    def _resolve_from_copies(self, episodes: set[Pid]) -> set[Pid]:
        """Resolve the episodes that are not, or not any more; answers with these. Reads what that asks for."""
        pending = resolved = episodes - self._programmes.keys()
        unread = {pid for pid in pending if pid not in self._items}
        while True:
            self._read_upwards(unread)
            lookup = _Lookup(self._items)
            self._programmes.update({pid: resolve_programme(pid, lookup) for pid in pending})
            unread = lookup.unread
            if not unread:
                return resolved
            pending = {pid for pid in pending if not unread.isdisjoint(self._programmes[pid].reads)}

    def _read_upwards(self, pids: set[Pid]) -> None:
        """Read copies level by level: these, then their parents, as far as ancestry is followed."""
        for _ in range(MAXIMUM_ANCESTORS + 1):
            if not pids:
                return
            found = self._store.copies.read(list(pids))
            parents = set()
            for pid in pids:
                item = self._items[pid] = self._parse(pid, found.get(pid))
                if item is not None and item.parent_pid is not None:
                    parents.add(item.parent_pid)
            pids = parents - self._items.keys()

    def _parse(self, pid: Pid, content: bytes | None) -> CatalogueItem | None:
        """Raises :class:`InvalidRecord`, except of a copy that is going to be compared with its source."""
        try:
            return None if content is None else parse_copy(pid, content)
        except InvalidRecord:
            if self._refresh_cause is None or pid in self._sourced:
                raise
            self._unreadable.add(pid)
            return None

    def _forget(self, pids: Iterable[Pid]) -> None:
        """Have these items read again, and the programmes resolved again that were made of them."""
        forgotten = set(pids)
        for pid in forgotten:
            self._items.pop(pid, None)
        made_of_them = [
            e for e, programme in self._programmes.items() if not forgotten.isdisjoint(programme.reads)
        ]
        for episode in made_of_them:
            del self._programmes[episode]


class _Lookup:
    """Finds items in memory, and notes those that were never read, as where a part was forgotten."""

    __slots__ = ("_items", "unread")

    def __init__(self, items: Mapping[Pid, CatalogueItem | None]) -> None:
        self._items = items
        self.unread: set[Pid] = set()

    def __call__(self, pid: Pid) -> CatalogueItem | None:
        try:
            return self._items[pid]
        except KeyError:
            self.unread.add(pid)
            return None
