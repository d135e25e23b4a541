"""Follows catalogue items: brings the copies up to date, and marks the schedules that depend on them.

The order of the steps is the protocol's (docs/adr/0003): take a token, read the source, store the copy together with
a pending propagation, mark the dependants, acknowledge the propagation. If a worker dies in between, the redelivered
notification completes the propagation.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from schedules_pipeline.documents.catalogue_document import (
    PROJECTION,
    is_newer,
    parse_catalogue_document,
    parse_copy,
    render_copy,
)
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.catalogue import CatalogueItem, Kind, changed_fields
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.errors import InvalidDocument, InvalidRecord
from schedules_pipeline.publishing.policy import PublishingPolicy
from schedules_pipeline.publishing.ports import PublishingSources, PublishingStore
from schedules_pipeline.publishing.ports.catalogue import CopyUpdate, StoreResult
from schedules_pipeline.publishing.ports.rejections import rejection
from schedules_pipeline.publishing.ports.work import Mark
from schedules_pipeline.publishing.urgency import due_at


@dataclass(frozen=True, slots=True)
class FollowResult:
    """The outcome of following some items; every pid is in exactly one of the first five.

    ``unneeded``: no schedule depends on it and there is no copy. ``absent``: the catalogue has no document, so the
    copy stays. ``rejected``: the document is not valid, so the copy stays. ``unchanged``: no field that an output
    uses has changed. ``changed``: by kind, the copies that are new or different. ``pending``: how many schedules waited
    for a build when these had been marked.
    """

    unneeded: frozenset[Pid] = frozenset()
    absent: frozenset[Pid] = frozenset()
    rejected: frozenset[Pid] = frozenset()
    unchanged: frozenset[Pid] = frozenset()
    changed: Mapping[Pid, Kind] = field(default_factory=dict)
    schedules_marked: int = 0
    pending: int = 0


@dataclass(frozen=True, slots=True)
class _Projection:
    """Catalogue documents as copies: ``values`` and ``kinds`` of the valid ones, and the rejected pids."""

    values: Mapping[Pid, bytes]
    kinds: Mapping[Pid, Kind]
    rejected: frozenset[Pid]


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
        """Bring the copies of these items up to date, each for its cause. Idempotent."""
        tickets = self._store.copies.begin(list(causes))
        needed = [pid for pid, ticket in tickets.items() if ticket.is_needed]
        documents = self._sources.catalogue_source.read(needed) if needed else {}
        projected = self._project(documents)
        stored = self._store.copies.store(
            {
                pid: CopyUpdate(tickets[pid].token, value, _restated(pid, tickets[pid].copy, value))
                for pid, value in projected.values.items()
            }
        )
        pending = [pid for pid, result in stored.items() if result.propagation_pending]
        pending += [pid for pid in needed if pid not in stored and tickets[pid].propagation_pending]
        causes = _with_changed_fields(causes, stored, projected.values)
        marked, waiting = self._propagate({pid: causes[pid] for pid in pending})
        self._store.copies.acknowledge({pid: tickets[pid].token for pid in pending})
        changed = {pid: projected.kinds[pid] for pid, result in stored.items() if result.changed}
        return FollowResult(
            unneeded=frozenset(causes) - frozenset(needed),
            absent=frozenset(needed) - frozenset(documents),
            rejected=projected.rejected,
            unchanged=frozenset(stored) - frozenset(changed),
            changed=changed,
            schedules_marked=marked,
            pending=waiting,
        )

    def reread(self, pids: Sequence[Pid]) -> None:
        """Follow items whose copies were made by an older release, which left out fields that copies have now.

        The dependants of those that differ are marked before the copies are stored. No message is redelivered if
        this publisher dies in between, and a build that finds a copy still outdated rereads it.
        """
        now = self._clock()
        causes = {pid: Cause(f"projection {PROJECTION}", Origin.UPGRADE, pid, now) for pid in pids}
        stored = self._store.copies.read(pids)
        found = self.read_source(pids)
        self._propagate({pid: causes[pid] for pid in found if _read(pid, stored.get(pid)) != found[pid]})
        self.follow(causes)

    def read_source(self, pids: Sequence[Pid]) -> dict[Pid, CatalogueItem]:
        """The current items of the catalogue, without those that are missing or invalid. Changes nothing."""
        items = {}
        for pid, content in self._sources.catalogue_source.read(pids).items() if pids else ():
            with suppress(InvalidDocument):
                items[pid] = self._parse(pid, content)
        return items

    def insert_if_absent(self, pids: Sequence[Pid]) -> None:
        """Store copies of items that have none. For items that the source lacks, record that a build relies on
        their absence. The caller reads the copies again afterwards.
        """
        pending = list(pids)
        missing: list[Pid] = []
        while pending:
            tokens = self._store.copies.take_tokens(pending)
            values = self._project(self._sources.catalogue_source.read(pending)).values
            inserted = self._store.copies.insert_if_absent(
                {pid: (tokens[pid], value) for pid, value in values.items()}
            )
            missing += [pid for pid in pending if pid not in values]
            pending = [pid for pid, copy in inserted.items() if copy is None]
        self._store.copies.record_absence(missing)

    def _project(self, documents: Mapping[Pid, bytes]) -> _Projection:
        """Invalid documents are kept as rejections; a valid document ends the rejection of its item."""
        values, kinds, rejections = {}, {}, {}
        for pid, content in documents.items():
            try:
                item = self._parse(pid, content)
            except InvalidDocument as error:
                rejections[pid] = rejection(error, content, self._clock())
            else:
                values[pid], kinds[pid] = render_copy(item), item.kind
        if rejections:
            self._store.rejections.keep({str(pid): kept for pid, kept in rejections.items()})
        if values:
            self._store.rejections.forget([str(pid) for pid in values])
        return _Projection(values, kinds, frozenset(rejections))

    def _parse(self, pid: Pid, content: bytes) -> CatalogueItem:
        if len(content) > self._policy.maximum_catalogue_bytes:
            raise InvalidDocument(
                f"catalogue item {pid}: {len(content):,} bytes are more than a document may have "
                "(the setting SCHEDULES_MAXIMUM_CATALOGUE_BYTES)"
            )
        return parse_catalogue_document(pid, content)

    def _propagate(self, causes: Mapping[Pid, Cause]) -> tuple[int, int]:
        """Read the dependants only now, after the copies are stored, and mark them. Returns how many, and how many
        schedules are pending then.
        """
        if not causes:
            return 0, 0
        now = self._clock()
        marks = [
            Mark(key, due_at(key, now, self._calendar), causes[pid])
            for pid, references in self._store.references.references(list(causes)).items()
            for key in {reference.key for reference in references}
        ]
        pending = self._store.work.mark(marks)
        return len({mark.key for mark in marks}), pending


def _restated(pid: Pid, copy: bytes | None, value: bytes) -> bytes:
    """The stored copy if the value means the same, else nothing.

    A copy made by a newer release never does: fields that this release does not know may have changed.
    """
    if copy is None or copy == value or is_newer(copy) or _read(pid, copy) != parse_copy(pid, value):
        return b""
    return copy


def _read(pid: Pid, copy: bytes | None) -> CatalogueItem | None:
    """None also for a copy that cannot be decoded."""
    try:
        return None if copy is None else parse_copy(pid, copy)
    except InvalidRecord:
        return None


def _with_changed_fields(
    causes: Mapping[Pid, Cause], stored: Mapping[Pid, StoreResult], values: Mapping[Pid, bytes]
) -> dict[Pid, Cause]:
    """Name the changed fields in each cause. They are unknown if an earlier worker left the propagation."""
    told = dict(causes)
    for pid, result in stored.items():
        if result.previous is not None:
            told[pid] = replace(causes[pid], changed=_changed(pid, result.previous, values[pid]))
    return told


def _changed(pid: Pid, previous: bytes, value: bytes) -> tuple[str, ...]:
    """Empty if the replaced copy cannot be decoded."""
    before = _read(pid, previous)
    return () if before is None else changed_fields(before, parse_copy(pid, value))
