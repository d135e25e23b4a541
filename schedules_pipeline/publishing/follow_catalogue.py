"""Follows catalogue items: our copies are brought up to date, and whatever depends on them is marked.

The order of the steps is the protocol's (docs/adr/0003): token, read the source, store the copy together with
a debt to its dependants, mark the dependants, settle the debt. Whoever dies in between leaves a debt
that the redelivered notification pays.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from schedules_pipeline.documents.catalogue_document import parse_catalogue_document, parse_copy, render_copy
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.catalogue import CatalogueItem, Kind, changed_fields
from schedules_pipeline.domain.causes import Cause
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.errors import InvalidDocument, InvalidRecord
from schedules_pipeline.publishing.policy import PublishingPolicy
from schedules_pipeline.publishing.ports import PublishingSources, PublishingStore
from schedules_pipeline.publishing.ports.catalogue import StoreResult
from schedules_pipeline.publishing.ports.work import Mark
from schedules_pipeline.publishing.rejections import rejection
from schedules_pipeline.publishing.urgency import due_at


@dataclass(frozen=True, slots=True)
class FollowResult:
    """What came of following some items; every pid is in exactly one of the first five.

    ``unneeded``: nobody depends on it and we hold no copy. ``absent``: the catalogue has no document, so
    the copy stays. ``refused``: the document is not valid, so the copy stays. ``unchanged``: no field that
    an output uses has changed. ``changed``: by kind, the copies that are new or different.
    """

    unneeded: frozenset[Pid]
    absent: frozenset[Pid]
    rejected: frozenset[Pid]
    unchanged: frozenset[Pid]
    changed: Mapping[Pid, Kind]
    schedules_marked: int


class CatalogueFollower:
    def __init__(
        self,
        store: PublishingStore,
        sources: PublishingSources,
        calendar: BroadcastCalendar,
        clock: Clock,
        policy: PublishingPolicy,
    ) -> None:
        self._store = store
        self._sources = sources
        self._calendar = calendar
        self._clock = clock
        self._policy = policy

    def follow(self, causes: Mapping[Pid, Cause]) -> FollowResult:
        """Bring our copies of these items up to date, each for its cause. Idempotent."""
        begun = self._store.copies.begin(list(causes))
        needed = [pid for pid, start in begun.items() if start.is_needed]
        documents = self._sources.catalogue_source.read(needed) if needed else {}
        values, kinds, rejected = self._project(documents)
        stored = self._store.copies.store({pid: (begun[pid].token, value) for pid, value in values.items()})
        owed = [pid for pid, result in stored.items() if result.propagation_pending]
        owed += [pid for pid in needed if pid not in stored and begun[pid].propagation_pending]
        causes = _with_changed_fields(causes, stored, values)
        marked = self._propagate({pid: causes[pid] for pid in owed})
        self._store.copies.acknowledge({pid: begun[pid].token for pid in owed})
        changed = {pid: kinds[pid] for pid, result in stored.items() if result.changed}
        return FollowResult(
            unneeded=frozenset(causes) - frozenset(needed),
            absent=frozenset(needed) - frozenset(documents),
            rejected=frozenset(rejected),
            unchanged=frozenset(stored) - frozenset(changed),
            changed=changed,
            schedules_marked=marked,
        )

    def read_source(self, pids: Sequence[Pid]) -> dict[Pid, CatalogueItem]:
        """The items as their source has them now, of those that are there and valid. Changes nothing."""
        items = {}
        for pid, content in self._sources.catalogue_source.read(pids).items() if pids else ():
            with suppress(InvalidDocument):
                items[pid] = self._parse(pid, content)
        return items

    def insert_if_absent(self, pids: Sequence[Pid]) -> None:
        """Give the store a copy of items that it has none of. Those that the source lacks stay missing, and
        it is noted that a build relies on that: read the copies again afterwards.
        """
        pending = list(pids)
        missing: list[Pid] = []
        while pending:
            tokens = self._store.copies.take_tokens(pending)
            values, _, _ = self._project(self._sources.catalogue_source.read(pending))
            inserted = self._store.copies.insert_if_absent(
                {pid: (tokens[pid], value) for pid, value in values.items()}
            )
            missing += [pid for pid in pending if pid not in values]
            pending = [pid for pid, copy in inserted.items() if copy is None]
        self._store.copies.record_absence(missing)

    def _project(self, documents: Mapping[Pid, bytes]) -> tuple[dict[Pid, bytes], dict[Pid, Kind], list[Pid]]:
        values, kinds, complaints = {}, {}, {}
        for pid, content in documents.items():
            try:
                item = self._parse(pid, content)
            except InvalidDocument as error:
                complaints[str(pid)] = rejection(error, content, self._clock())
            else:
                values[pid], kinds[pid] = render_copy(item), item.kind
        if complaints:
            self._store.rejections.keep(complaints)
        if values:
            self._store.rejections.forget([str(pid) for pid in values])
        return values, kinds, [Pid(text) for text in complaints]

    def _parse(self, pid: Pid, content: bytes) -> CatalogueItem:
        if len(content) > self._policy.maximum_catalogue_bytes:
            raise InvalidDocument(
                f"catalogue item {pid}: {len(content):,} bytes are more than a document may have "
                "(the setting SCHEDULES_MAXIMUM_CATALOGUE_BYTES)"
            )
        return parse_catalogue_document(pid, content)

    def _propagate(self, causes: Mapping[Pid, Cause]) -> int:
        """Read the dependants *now*, after the copies are stored, and mark them."""
        if not causes:
            return 0
        now = self._clock()
        marks = [
            Mark(key, due_at(key, now, self._calendar), causes[pid])
            for pid, references in self._store.references.references(list(causes)).items()
            for key in {reference.key for reference in references}
        ]
        self._store.work.mark(marks)
        return len({mark.key for mark in marks})


def _with_changed_fields(
    causes: Mapping[Pid, Cause], stored: Mapping[Pid, StoreResult], values: Mapping[Pid, bytes]
) -> dict[Pid, Cause]:
    """Say in each cause what was different. Of a debt that somebody else left nothing is known."""
    told = dict(causes)
    for pid, result in stored.items():
        if result.previous is not None:
            told[pid] = replace(causes[pid], changed=_changed(pid, result.previous, values[pid]))
    return told


def _changed(pid: Pid, previous: bytes, value: bytes) -> tuple[str, ...]:
    """What is different; nothing that could be told where the copy that was replaced does not read back."""
    try:
        return changed_fields(parse_copy(pid, previous), parse_copy(pid, value))
    except InvalidRecord:
        return ()
