"""Finds the programmes of a batch of schedules, and registers every dependency before the batch relies on it.

The rule (invariant 4): a schedule is registered as a dependant of a pid *before* the copy of that pid is read for
it. The dependencies of the committed state are registered already, so only new ones are written, and the copies
that were read too early are read again.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from schedules_pipeline.documents.catalogue_document import is_outdated, parse_copy
from schedules_pipeline.domain.catalogue import MAXIMUM_ANCESTORS, CatalogueItem
from schedules_pipeline.domain.causes import Cause
from schedules_pipeline.domain.dependencies import Entry, EpisodeMention, find_ancestors
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.domain.programme import Resolution, resolve_programmes
from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.publishing.follow_catalogue import CatalogueFollower
from schedules_pipeline.publishing.ports import PublishingStore


@dataclass(frozen=True, slots=True)
class Need:
    """The episodes that one schedule shows, and what the index has of it: every mention but those in
    ``unregistered``, and the entries of ``registered_ancestors``.
    """

    episodes: AbstractSet[Pid]
    unregistered: Sequence[EpisodeMention]
    registered_ancestors: frozenset[Pid]

    def entries_to_register(self, ancestors: frozenset[Pid]) -> list[Entry]:
        mentions = [Entry(*mention) for mention in self.unregistered]
        return mentions + [Entry(pid) for pid in ancestors - self.registered_ancestors]

    def registered(self, ancestors: frozenset[Pid]) -> "Need":
        """The need after everything was registered."""
        return Need(self.episodes, (), self.registered_ancestors | ancestors)


@dataclass(frozen=True, slots=True)
class ResolvedBatch:
    """Every episode of a batch with its ancestry, and the ancestors of each schedule's episodes."""

    programmes: Mapping[Pid, Resolution]
    ancestors: Mapping[ScheduleKey, frozenset[Pid]]


class ProgrammeResolver:
    """Resolves one batch. It remembers the items that it has read, so it is not reused."""

    def __init__(
        self, store: PublishingStore, follower: CatalogueFollower, token: int, refresh_cause: Cause | None
    ) -> None:
        """``refresh_cause``: compare every copy that is used with its source first; None to trust the copies."""
        self._store = store
        self._follower = follower
        self._token = token
        self._refresh_cause = refresh_cause
        self._contents: dict[Pid, bytes | None] = {}
        self._items: dict[Pid, CatalogueItem | None] = {}
        self._programmes: dict[Pid, Resolution] = {}
        self._sourced: set[Pid] = set()
        self._undecodable: set[Pid] = set()
        self._outdated: set[Pid] = set()

    def resolve(self, needs: Mapping[ScheduleKey, Need]) -> ResolvedBatch:
        """On return every item was registered for its schedules before it was read."""
        needs = dict(needs)
        episodes: set[Pid] = set().union(*[need.episodes for need in needs.values()])
        ancestors: dict[ScheduleKey, frozenset[Pid]] = dict.fromkeys(needs, frozenset())
        above: dict[Pid, tuple[Pid, ...]] = {}
        # Most ancestors are those of the last build, so one read brings all levels.
        self._read_ahead(episodes.union(*[need.registered_ancestors for need in needs.values()]))
        while True:
            resolved = self._resolve_from_copies(episodes)
            above |= {pid: self._programmes[pid].ancestors for pid in resolved}
            entries = {}
            for key, need in needs.items():
                if not need.episodes.isdisjoint(resolved):
                    ancestors[key] = find_ancestors(need.episodes, above.__getitem__)
                    if missing := need.entries_to_register(ancestors[key]):
                        entries[key] = missing
            if entries:
                self._register(entries)
                needs |= {key: needs[key].registered(ancestors[key]) for key in entries}
            elif not self._consult_source():
                return ResolvedBatch(self._programmes, ancestors)

    def _register(self, entries: Mapping[ScheduleKey, Sequence[Entry]]) -> None:
        self._store.references.register(entries, self._token)
        pids = {entry.pid for wanted in entries.values() for entry in wanted}
        # An item that the source lacked before this registration may have arrived since, without a mark for the
        # schedule. So the source is asked again.
        self._sourced -= pids
        self._forget(pids)

    def _consult_source(self) -> bool:
        """Ask the source for missing items and those with a copy of an older release (in a refresh for all), each once
        after it was registered.
        """
        wanted = {pid for programme in self._programmes.values() for pid in programme.reads} - self._sourced
        if self._refresh_cause is None:
            wanted = {pid for pid in wanted if self._items[pid] is None or pid in self._outdated}
        if not wanted:
            return False
        self._sourced |= wanted
        held = {pid for pid in wanted if self._items[pid] is not None or pid in self._undecodable}
        self._follower.insert_if_absent(sorted(wanted - held))
        if self._refresh_cause is not None:
            self._follower.follow(dict.fromkeys(sorted(held), self._refresh_cause))
        elif held:
            self._follower.reread(sorted(held))
        self._forget(wanted)
        return True

    def _resolve_from_copies(self, episodes: set[Pid]) -> set[Pid]:
        """Resolve the episodes that have no programme (any more), and return them."""
        pending = episodes - self._programmes.keys()
        self._read_ancestries(pending)
        self._programmes |= resolve_programmes(pending, self._items.get)
        return pending

    def _read_ancestries(self, episodes: set[Pid]) -> None:
        """Level by level up the ancestry, read the copies that are not in memory."""
        level = episodes
        for _ in range(MAXIMUM_ANCESTORS + 1):
            if unread := level - self._items.keys():
                self._read_ahead(unread - self._contents.keys())
                self._items |= {pid: self._parse(pid, self._contents.pop(pid)) for pid in unread}
            items = [item for pid in level if (item := self._items[pid]) is not None]
            level = {item.parent_pid for item in items if item.parent_pid is not None}

    def _read_ahead(self, pids: AbstractSet[Pid]) -> None:
        """Read the copies, which are decoded when a programme needs them."""
        if pids:
            found = self._store.copies.read(list(pids))
            self._contents |= {pid: found.get(pid) for pid in pids}

    def _parse(self, pid: Pid, content: bytes | None) -> CatalogueItem | None:
        """Raises :class:`InvalidRecord` unless the copy is going to be compared with its source."""
        if content is None:
            return None
        if is_outdated(content):
            self._outdated.add(pid)
        try:
            return parse_copy(pid, content)
        except InvalidRecord:
            if self._refresh_cause is None or pid in self._sourced:
                raise
            self._undecodable.add(pid)
            return None

    def _forget(self, pids: Iterable[Pid]) -> None:
        """Have these items read again, and resolve again the programmes that were made from them."""
        forgotten = set(pids)
        for pid in forgotten:
            self._items.pop(pid, None)
            self._contents.pop(pid, None)
        stale = [
            episode
            for episode, programme in self._programmes.items()
            if not forgotten.isdisjoint(programme.reads)
        ]
        for episode in stale:
            del self._programmes[episode]
