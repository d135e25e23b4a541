"""Finds schedules whose stored state differs from their sources. Changes nothing.

The expected state is computed from the sources by the functions that a build uses. A stored copy counts only if
the source lacks the item or has an invalid document of it, because the last good copy then stays.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from schedules_pipeline.documents.accepted_schedule import (
    AcceptedSchedule,
    NoSource,
    if_decodable,
    parse_if_accepted,
)
from schedules_pipeline.documents.catalogue_document import parse_copy
from schedules_pipeline.documents.partner_document import (
    fill,
    hash_content,
    render_programmes,
    split_document,
)
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.catalogue import MAXIMUM_ANCESTORS, CatalogueItem
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.dependencies import Dependencies, dependencies, find_ancestors
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.domain.programme import resolve_programme
from schedules_pipeline.domain.schedule import describe_quarantined
from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.publishing.draft import situation_of
from schedules_pipeline.publishing.follow_catalogue import CatalogueFollower
from schedules_pipeline.publishing.judge_source import (
    Accepted,
    Held,
    Judgement,
    Rejected,
    Removed,
    SourceJudge,
    waits_for_operator,
)
from schedules_pipeline.publishing.policy import PublishingPolicy
from schedules_pipeline.publishing.ports import PublishingSources, PublishingStore
from schedules_pipeline.publishing.ports.losses import NO_STANDING
from schedules_pipeline.publishing.ports.schedules import ScheduleState


class Part(StrEnum):
    """The part of a schedule that differs."""

    SOURCE = "source"
    COPIES = "copies"
    DOCUMENT = "document"
    INDEX = "index"
    FEED = "feed"
    RECORDS = "records"
    """Whether the source is rejected, and which of its broadcasts are in quarantine."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How one schedule differs, in the state committed under ``token``. ``announced_seq``: the number of its head
    in the feed. ``is_hidden``: a rebuild alone would publish nothing.
    """

    parts: frozenset[Part]
    token: int
    announced_seq: int
    is_hidden: bool


@dataclass(frozen=True, slots=True)
class FoundDifferences:
    """``standing``: differences with no change pending. ``moving``: differences of schedules that a change is
    pending for, or that are quarantined. ``unread``: the number of schedules whose source could not be read.
    """

    standing: Mapping[ScheduleKey, Difference]
    moving: Mapping[ScheduleKey, Difference]
    unread: int

    def __add__(self, other: "FoundDifferences") -> "FoundDifferences":
        return FoundDifferences(
            {**self.standing, **other.standing}, {**self.moving, **other.moving}, self.unread + other.unread
        )


NOTHING_FOUND = FoundDifferences({}, {}, 0)


@dataclass(frozen=True, slots=True)
class _Items:
    """The expected items; ``differing``: those whose stored copy is not what the source says."""

    by_pid: Mapping[Pid, CatalogueItem | None]
    differing: frozenset[Pid]


@dataclass(frozen=True, slots=True)
class _Judged:
    """The source that a schedule should have accepted. ``is_rejected``: the document in the bucket cannot be read."""

    source: AcceptedSchedule | NoSource
    is_rejected: bool


@dataclass(frozen=True, slots=True)
class _Expected:
    """The expected state of one schedule. ``etag`` is "" if partners must not see it."""

    source: AcceptedSchedule | NoSource
    etag: str
    dependencies: Dependencies
    uses_differing_copies: bool
    is_rejected: bool


@dataclass(frozen=True, slots=True)
class _Stored:
    """The stored state of one schedule. ``quarantined``: the summary of its broadcasts in quarantine."""

    state: ScheduleState
    document: bytes | None
    head: Change | None
    is_rejected: bool
    quarantined: str


@dataclass(frozen=True, slots=True)
class DifferenceFinder:
    store: PublishingStore
    sources: PublishingSources
    follower: CatalogueFollower
    calendar: BroadcastCalendar
    clock: Clock
    policy: PublishingPolicy

    def find(self, keys: Sequence[ScheduleKey]) -> FoundDifferences:
        """Compare one batch of schedules with their sources."""
        stored = self._read(keys)
        expected = self._expect(self._judge(stored))
        missing = self.store.references.missing(
            {key: _entries(stored[key].state, e) for key, e in expected.items()}
        )
        found = {}
        for key, e in expected.items():
            if parts := _find_parts(stored[key], e, lacks_entries=bool(missing.get(key))):
                found[key] = _difference(parts, stored[key], e)
        moving = self._find_moving(list(found), stored)
        return FoundDifferences(
            {key: difference for key, difference in found.items() if key not in moving},
            {key: difference for key, difference in found.items() if key in moving},
            len(keys) - len(expected),
        )

    def _read(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, _Stored]:
        states = self.store.schedules.read(keys)
        documents = self.store.schedules.documents(keys)
        heads = self.store.feed.heads_of(keys)
        rejected = self.store.rejections.find(list(map(str, keys)))
        quarantined = self.store.quarantined_broadcasts.find(keys)
        return {
            key: _Stored(
                states[key],
                documents.get(key),
                heads.get(key),
                is_rejected=str(key) in rejected,
                quarantined=quarantined.get(key, ""),
            )
            for key in keys
        }

    def _judge(self, stored: Mapping[ScheduleKey, _Stored]) -> dict[ScheduleKey, _Judged]:
        """The source that each schedule should have accepted: a rejected or held document leaves the committed one in
        place.

        Schedules whose source could not be read are left out.
        """
        found = self.sources.schedule_source.fetch(list(stored))
        standings = self.store.losses.find(list(stored))
        judge = SourceJudge(self.policy.losses, self.clock())
        judged: dict[ScheduleKey, _Judged] = {}
        for key, source in found.items():
            if isinstance(source, Exception):
                continue
            state, standing = stored[key].state, standings.get(key, NO_STANDING)
            committed = if_decodable(key, parse_if_accepted(state.accepted))
            situation = situation_of(state, committed, self.calendar.window(key), standing)
            judgement = judge.judge(situation, source)
            accepted = _expected_source(judgement, committed, waits=waits_for_operator(standing))
            judged[key] = _Judged(accepted, isinstance(judgement, Rejected))
        return judged

    def _expect(self, judged: Mapping[ScheduleKey, _Judged]) -> dict[ScheduleKey, _Expected]:
        sources = {key: each.source for key, each in judged.items()}
        items = self._read_items(set().union(*[source.episodes() for source in sources.values()]))
        episodes = [pid for source in sources.values() for pid in source.episodes()]
        programmes = {pid: resolve_programme(pid, items.by_pid.get) for pid in episodes}
        texts = render_programmes(programmes)
        expected = {}
        for key, source in sources.items():
            ancestors = find_ancestors(source.episodes(), lambda pid: programmes[pid].ancestors)
            etag = ""
            if isinstance(source, AcceptedSchedule):
                etag = hash_content(fill(source.slots, map(texts.__getitem__, source.episode_pids)))
            expected[key] = _Expected(
                source=source,
                etag=etag,
                dependencies=dependencies(source.shown(), ancestors),
                uses_differing_copies=not items.differing.isdisjoint(source.episodes() | ancestors),
                is_rejected=judged[key].is_rejected,
            )
        return expected

    def _read_items(self, pids: set[Pid]) -> _Items:
        """Read items level by level up the ancestry, from the source and from the copies."""
        items: dict[Pid, CatalogueItem | None] = {}
        differing: set[Pid] = set()
        for _ in range(MAXIMUM_ANCESTORS + 1):
            level = sorted(pids - items.keys())
            in_source, copies = self.follower.read_source(level), self.store.copies.read(level)
            differing |= {
                pid for pid, item in in_source.items() if _parse_copy_or_none(pid, copies.get(pid)) != item
            }
            items |= {pid: in_source.get(pid) or _parse_copy_or_none(pid, copies.get(pid)) for pid in level}
            found = [item for pid in level if (item := items[pid]) is not None]
            pids = {item.parent_pid for item in found if item.parent_pid is not None}
        return _Items(items, frozenset(differing))

    def _find_moving(
        self, keys: Sequence[ScheduleKey], stored: Mapping[ScheduleKey, _Stored]
    ) -> Collection[ScheduleKey]:
        """Schedules that a change is pending for, that changed during the comparison, or that are quarantined."""
        states = self.store.schedules.read(keys)
        moved = {key for key, state in states.items() if state != stored[key].state}
        return moved | self.store.work.unfinished(keys) | (self.store.work.quarantined().keys() & set(keys))


def _expected_source(
    judgement: Judgement, committed: AcceptedSchedule | NoSource, *, waits: bool
) -> AcceptedSchedule | NoSource:
    """``waits``: for an operator, so that only what nothing else can hold replaces the committed source."""
    match judgement:
        case Accepted(proposal=proposal) | Removed(proposal=proposal) if waits and not proposal.is_decided:
            return committed
        case Accepted(schedule):
            return schedule
        case Removed():
            return NoSource()
        case Held(kept=kept) if kept is not None:
            return kept
        case _:
            return committed


def _find_parts(stored: _Stored, expected: _Expected, *, lacks_entries: bool) -> frozenset[Part]:
    state = stored.state
    checks = {
        Part.SOURCE: _is_accepted(state, expected.source),
        Part.COPIES: not expected.uses_differing_copies,
        Part.DOCUMENT: is_document_right(stored.document, expected.etag, state.seq),
        Part.INDEX: not lacks_entries,
        Part.FEED: _head(stored) == (state.seq, state.etag),
        Part.RECORDS: (stored.is_rejected, stored.quarantined)
        == (expected.is_rejected, describe_quarantined(expected.source.quarantined, expected.source.mended)),
    }
    return frozenset(part for part, is_right in checks.items() if not is_right)


def _difference(parts: frozenset[Part], stored: _Stored, expected: _Expected) -> Difference:
    """A build publishes only if the etag in the state differs. A difference is hidden if that etag is right but the
    document or the head is not, or if the feed is ahead of the state, so that clients would ignore the new number.
    """
    seq, _ = _head(stored)
    is_hidden = stored.state.etag == expected.etag and not parts.isdisjoint({Part.DOCUMENT, Part.FEED})
    return Difference(parts, stored.state.committed_token, seq, is_hidden or seq > stored.state.seq)


def _head(stored: _Stored) -> tuple[int, str]:
    return (0, "") if stored.head is None else (stored.head.seq, stored.head.etag)


def is_document_right(document: bytes | None, etag: str, seq: int) -> bool:
    """Whether the envelope of a document and the hash of its content match its state. Pure."""
    if document is None or not etag:
        return document is None and not etag
    try:
        publication, content = split_document(document)
    except InvalidRecord:
        return False
    return (publication.seq, publication.etag) == (seq, etag) and hash_content(content) == etag


def _entries(state: ScheduleState, expected: _Expected) -> Dependencies:
    """The entries that the index must hold: for the expected source if it is accepted, else for the committed one."""
    if _is_accepted(state, expected.source):
        return expected.dependencies
    return dependencies(parse_if_accepted(state.accepted).shown(), state.ancestors)


def _is_accepted(state: ScheduleState, source: AcceptedSchedule | NoSource) -> bool:
    """Whether this source is the stored one, in the form of any release."""
    if state.accepted is None or isinstance(source, NoSource):
        return state.accepted is None and isinstance(source, NoSource)
    return parse_if_accepted(state.accepted) == source


def _parse_copy_or_none(pid: Pid, copy: bytes | None) -> CatalogueItem | None:
    try:
        return None if copy is None else parse_copy(pid, copy)
    except InvalidRecord:
        return None
