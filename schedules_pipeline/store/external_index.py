"""Copies on Redis with the back-reference index elsewhere, and the protocol that keeps both consistent. Optional.

With the index in Redis, one atomic step ignores an event of an item without dependants (``begin_copy.lua``), and
another deletes the copy of such an item (``collect_copy.lua``). With an external index, reading the dependants and
acting on the result are separate steps. The item's tokens make them safe:

- A registration writes its entries into the index and then takes a token of every pid. Only then does the build read
  anything (:class:`TokenCheckedReferenceIndex`).
- A step that requires an item without dependants notes the latest token, reads the index, and acts in one atomic step
  that does nothing if a token was taken since (:class:`ExternalIndexSteps`).

If the step acts, no registration was completed between its token and its action. Earlier registrations were visible in
the index. Later ones have read nothing yet, so they find the item as the step left it. So both steps have the effect of
one. If the step does nothing, the item is followed, or kept until the next collection, which is always safe.

Belongs here: these steps. Does not belong here: the index itself.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from schedules_pipeline.domain.dependencies import Entry, Reference
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.publishing.ports.catalogue import CollectionCounts, CopyStore, UpdateTicket
from schedules_pipeline.publishing.ports.references import EntriesBySchedule, ReferenceIndex
from schedules_pipeline.store.copies import RedisCopyStore, counted
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink


class DependantLookup(Protocol):
    """The part of an external index that the steps need. Completed registrations are visible."""

    def depended_on(self, pids: Sequence[Pid]) -> set[Pid]:
        """The pids that have dependants."""


class ExternalReferenceIndex(ReferenceIndex, DependantLookup, Protocol):
    """A back-reference index in another store than the copies."""


@dataclass(frozen=True, slots=True)
class UpdateStart:
    """A token, whether a change still has to be propagated, and the stored copy."""

    token: int
    propagation_pending: bool
    copy: bytes | None


class ExternalIndexSteps(ABC):
    """The steps of a copy store that need the dependants, on top of steps on the version token."""

    index: DependantLookup

    def begin(self, pids: Sequence[Pid]) -> dict[Pid, UpdateTicket]:
        """Take tokens, read the dependants, and ignore items without any."""
        started = self._start(pids)
        unheld = [pid for pid, start in started.items() if start.copy is None]
        depended_on = self.index.depended_on(unheld)
        ignored = self._ignore({pid: started[pid].token for pid in unheld if pid not in depended_on})
        return {
            pid: UpdateTicket(start.token, pid not in ignored, start.propagation_pending, start.copy)
            for pid, start in started.items()
        }

    def collect(self, pids: Sequence[Pid]) -> CollectionCounts:
        """Note the tokens, read the dependants, and delete items without any."""
        tokens = self._latest_tokens(pids)
        depended_on = self.index.depended_on(pids)
        return self._delete({pid: token for pid, token in tokens.items() if pid not in depended_on})

    @abstractmethod
    def _start(self, pids: Sequence[Pid]) -> dict[Pid, UpdateStart]:
        """Take a token for each, and read its copy."""

    @abstractmethod
    def _ignore(self, tokens: Mapping[Pid, int]) -> set[Pid]:
        """Record these tokens as the newest, so that earlier reads cannot be stored. Returns the recorded pids.

        Skips pids of which a token was taken since, or a copy was stored.
        """

    @abstractmethod
    def _latest_tokens(self, pids: Sequence[Pid]) -> dict[Pid, int]:
        """The latest token of each; 0 without any."""

    @abstractmethod
    def _delete(self, tokens: Mapping[Pid, int]) -> CollectionCounts:
        """Delete copies and records of absence.

        Skips pids of which a token was taken since, or that have a pending propagation.
        """


class CopyStoreWithExternalIndex(ExternalIndexSteps, RedisCopyStore):
    """Implements :class:`CopyStore`, with the dependants in an external index."""

    def __init__(self, link: RedisLink, keys: Keys, index: DependantLookup) -> None:
        super().__init__(link, keys)
        self.index = index
        self._starting, self._ignoring = link.script("start_copy"), link.script("ignore_copy")
        self._deleting = link.script("delete_copy")

    def _start(self, pids: Sequence[Pid]) -> dict[Pid, UpdateStart]:
        replies = self._on_copies(self._starting, dict.fromkeys(pids, (self._kept_seconds,)))
        return {
            pid: UpdateStart(token, bool(propagation_pending), copy)
            for pid, (token, propagation_pending, copy) in replies.items()
        }

    def _ignore(self, tokens: Mapping[Pid, int]) -> set[Pid]:
        replies = self._on_copies(self._ignoring, self._with_kept_seconds(tokens))
        return {pid for pid, is_ignored in replies.items() if is_ignored}

    def _latest_tokens(self, pids: Sequence[Pid]) -> dict[Pid, int]:
        replies = self._link.run([("HGET", self._keys.version_token(pid), "token") for pid in pids])
        return {pid: int(token or 0) for pid, token in zip(pids, replies, strict=True)}

    def _delete(self, tokens: Mapping[Pid, int]) -> CollectionCounts:
        return counted(self._on_copies(self._deleting, self._with_kept_seconds(tokens)).values())

    def _with_kept_seconds(self, tokens: Mapping[Pid, int]) -> dict[Pid, tuple[int, int]]:
        return {pid: (token, self._kept_seconds) for pid, token in tokens.items()}


class TokenCheckedReferenceIndex:
    """Implements :class:`ReferenceIndex` over an external index; every registration takes tokens of its pids."""

    def __init__(self, index: ReferenceIndex, copies: CopyStore) -> None:
        self._index = index
        self._copies = copies

    def register(self, entries: EntriesBySchedule, token: int) -> None:
        """The entries are written first: a token taken earlier would not show that they exist."""
        self._index.register(entries, token)
        self._copies.take_tokens(sorted({entry.pid for wanted in entries.values() for entry in wanted}))

    def unregister(self, entries: EntriesBySchedule, token: int) -> int:
        return self._index.unregister(entries, token)

    def references(self, pids: Sequence[Pid]) -> dict[Pid, list[Reference]]:
        return self._index.references(pids)

    def missing(self, entries: EntriesBySchedule) -> dict[ScheduleKey, list[Entry]]:
        return self._index.missing(entries)

    def pids(self) -> Iterator[list[Pid]]:
        return self._index.pids()
