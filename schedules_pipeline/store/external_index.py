"""Our copies on Redis where the back-reference index is elsewhere, and what keeps the two in step.

With the index in Redis, "nobody depends on this item, so ignore it" is one atomic step (``begin_copy.lua``), and
so is "nobody depends on it, so delete our copy" (``collect_copy.lua``). With the index elsewhere the look at the
dependants and the step that follows from it are two. They are held together by the tokens of the item's fence:

- Whoever registers takes a token of every pid *after* the entries are in the index and *before* anything is
  read (:class:`TokenCheckedReferenceIndex`).
- Whoever means to act on there being no dependants notes which token was taken last, *then* looks, and acts in
  one atomic step that asks for no token having been taken since (:class:`ExternalIndexSteps`).

So if the step is carried out, no registration was completed between note and step. What was completed before
was there to be seen. What is completed later has read nothing yet, and finds the item as the step left it. So
the look and the step might as well have been one instant, which is the case that is proven. Where the step is
not carried out the item is followed, or kept until the next collection, and neither is ever wrong.

Belongs here: the halves of those steps. Does not belong here: the index itself, wherever it is.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from schedules_pipeline.domain.dependencies import Entry, Reference
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.publishing.ports.catalogue import CollectionCounts, CopyStore, UpdateTicket
from schedules_pipeline.publishing.ports.references import ReferenceIndex
from schedules_pipeline.store.copies import RedisCopyStore
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink, Script

EntriesBySchedule = Mapping[ScheduleKey, Iterable[Entry]]


class DependantLookup(Protocol):
    """What is asked of an index that is elsewhere: every registration that was completed is seen."""

    def depended_on(self, pids: Sequence[Pid]) -> set[Pid]:
        """Those of the pids that anything depends on."""


class ExternalReferenceIndex(ReferenceIndex, DependantLookup, Protocol):
    """A back-reference index in another store than the copies."""


@dataclass(frozen=True, slots=True)
class UpdateStart:
    """A token of ours, whether we hold a copy, and whether a change is owed to the dependants."""

    token: int
    is_held: bool
    propagation_pending: bool


class ExternalIndexSteps(ABC):
    """The steps of a copy store that need the dependants, over steps of the fence alone."""

    index: DependantLookup

    def begin(self, pids: Sequence[Pid]) -> dict[Pid, UpdateTicket]:
        """Token, look, fence of what nobody needs."""
        started = self._start(pids)
        unheld = [pid for pid, start in started.items() if not start.is_held]
        depended_on = self.index.depended_on(unheld)
        ignored = self._ignore({pid: started[pid].token for pid in unheld if pid not in depended_on})
        return {
            pid: UpdateTicket(start.token, pid not in ignored, start.propagation_pending)
            for pid, start in started.items()
        }

    def collect(self, pids: Sequence[Pid]) -> CollectionCounts:
        """Note the token, look, delete what nobody needs."""
        noted = self._latest_tokens(pids)
        depended_on = self.index.depended_on(pids)
        return self._delete({pid: token for pid, token in noted.items() if pid not in depended_on})

    @abstractmethod
    def _start(self, pids: Sequence[Pid]) -> dict[Pid, UpdateStart]:
        """Take a token for each, and see what we have of it."""

    @abstractmethod
    def _ignore(self, tokens: Mapping[Pid, int]) -> set[Pid]:
        """Record these tokens as the newest, so that nobody can store what was read before; answers with where
        that was done. Not where another token was taken since, or a copy has come.
        """

    @abstractmethod
    def _latest_tokens(self, pids: Sequence[Pid]) -> dict[Pid, int]:
        """The token of each that was taken last; 0 where none is known."""

    @abstractmethod
    def _delete(self, tokens: Mapping[Pid, int]) -> CollectionCounts:
        """Delete copies, and notes that one is missed. Not where another token was taken since, or where
        something is owed.
        """


class CopyStoreWithExternalIndex(ExternalIndexSteps, RedisCopyStore):
    """Implements :class:`CopyStore`, with the dependants elsewhere."""

    def __init__(self, link: RedisLink, keys: Keys, index: DependantLookup) -> None:
        super().__init__(link, keys)
        self.index = index
        self._starting, self._ignoring = link.script("start_copy"), link.script("ignore_copy")
        self._deleting = link.script("delete_copy")

    def _start(self, pids: Sequence[Pid]) -> dict[Pid, UpdateStart]:
        replies = self._call(self._starting, dict.fromkeys(pids, ()))
        return {
            pid: UpdateStart(token, bool(is_held), bool(propagation_pending))
            for pid, (token, is_held, propagation_pending) in zip(pids, replies, strict=True)
        }

    def _ignore(self, tokens: Mapping[Pid, int]) -> set[Pid]:
        replies = self._call(self._ignoring, {pid: (token,) for pid, token in tokens.items()})
        return {pid for pid, is_ignored in zip(tokens, replies, strict=True) if is_ignored}

    def _latest_tokens(self, pids: Sequence[Pid]) -> dict[Pid, int]:
        replies = self._link.run([("HGET", self._keys.version_token(pid), "token") for pid in pids])
        return {pid: int(token or 0) for pid, token in zip(pids, replies, strict=True)}

    def _delete(self, tokens: Mapping[Pid, int]) -> CollectionCounts:
        replies = self._call(self._deleting, {pid: (token,) for pid, token in tokens.items()})
        return CollectionCounts(sum(copies for copies, _ in replies), sum(notes for _, notes in replies))

    def _call(self, script: Script, arguments: Mapping[Pid, tuple[int, ...]]) -> list[Any]:
        """On copy and fence of each; the last argument is for how long an idle fence is kept."""
        return self._link.run(
            [
                script.command(
                    [self._keys.copy(pid), self._keys.version_token(pid)], [*given, self._kept_seconds]
                )
                for pid, given in arguments.items()
            ]
        )


class TokenCheckedReferenceIndex:
    """Implements :class:`ReferenceIndex` over one that is elsewhere, so that
    the fences of the copies tell of every registration.
    """

    def __init__(self, index: ReferenceIndex, copies: CopyStore) -> None:
        self._index = index
        self._copies = copies

    def register(self, entries: EntriesBySchedule, token: int) -> None:
        """The entries first: a token that was taken before them would tell of nothing yet."""
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
