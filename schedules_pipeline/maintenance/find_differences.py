"""Finds out what is stored of some schedules and is not as the sources say; changes nothing.

Everything is computed anew from the sources, by the same pure functions as a build. Our copies only count for
items that the source lacks or that it has an invalid document of, because there last good stays.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from schedules_pipeline.documents.accepted_schedule import (
    AcceptedSchedule,
    NoSource,
    parse_accepted,
    render_accepted,
)
from schedules_pipeline.documents.catalogue_document import parse_copy, render_copy
from schedules_pipeline.documents.partner_document import (
    fill,
    hash_content,
    render_programmes,
    split_document,
)
from schedules_pipeline.domain.catalogue import MAXIMUM_ANCESTORS, CatalogueItem
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.dependencies import Dependencies, dependencies, find_ancestors
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.domain.programme import resolve_programme
from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.publishing.follow_catalogue import CatalogueFollower
from schedules_pipeline.publishing.judge_source import Accepted, Removed, judge_source
from schedules_pipeline.publishing.ports.catalogue import CopyStore
from schedules_pipeline.publishing.ports.feed import ChangeFeed
from schedules_pipeline.publishing.ports.references import ReferenceIndex
from schedules_pipeline.publishing.ports.rejections import RejectionStore
from schedules_pipeline.publishing.ports.schedules import ScheduleState, ScheduleStore
from schedules_pipeline.publishing.ports.upstream import ScheduleSource
from schedules_pipeline.publishing.ports.work import WorkQueue


class Part(StrEnum):
    """What of a schedule is not as it should be."""

    SOURCE = "source"
    COPIES = "copies"
    DOCUMENT = "document"
    INDEX = "index"
    FEED = "feed"


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs of one schedule, in the state that was committed under ``token``. ``announced_seq`` is the
    number of its head in the feed. ``is_hidden``: building again would find nothing new to publish.
    """

    parts: frozenset[Part]
    token: int
    announced_seq: int
    is_hidden: bool


@dataclass(frozen=True, slots=True)
class Look:
    """What was found. ``moving``: what differs too, but a change is on its way, or they were set aside.
    ``unread``: how many there are of which the source could not be read.
    """

    differences: Mapping[ScheduleKey, Difference]
    moving: Mapping[ScheduleKey, Difference]
    unread: int


@dataclass(frozen=True, slots=True)
class _Items:
    """Items as they should be; ``differing`` are those of which our copy is not what the source says."""

    by_pid: Mapping[Pid, CatalogueItem | None]
    differing: frozenset[Pid]


@dataclass(frozen=True, slots=True)
class _Expected:
    """What one schedule should be: ``etag`` is "" where partners shall see nothing."""

    accepted: bytes
    etag: str
    dependencies: Dependencies
    uses_differing_copies: bool


@dataclass(frozen=True, slots=True)
class _Stored:
    """What there is of one schedule."""

    state: ScheduleState
    document: bytes | None
    head: Change | None


class DifferenceFinder:
    def __init__(
        self,
        schedules: ScheduleStore,
        copies: CopyStore,
        references: ReferenceIndex,
        work: WorkQueue,
        feed: ChangeFeed,
        rejected: RejectionStore,
        source: ScheduleSource,
        follower: CatalogueFollower,
        clock: Clock,
        smallest_share: float,
    ) -> None:
        self._schedules = schedules
        self._copies = copies
        self._references = references
        self._work = work
        self._feed = feed
        self._rejected = rejected
        self._source = source
        self._follower = follower
        self._clock = clock
        self._smallest_share = smallest_share

    def look_at(self, keys: Sequence[ScheduleKey]) -> Look:
        """Compare these schedules with what they should be, a batch that is read in one go."""
        stored = self._read(keys)
        sources = self._judge(stored)
        expected = self._expect(sources)
        missing = self._references.missing(
            {key: _entries(stored[key].state, e) for key, e in expected.items()}
        )
        found = {}
        for key, e in expected.items():
            if parts := _find_parts(stored[key], e, lacks_entries=bool(missing.get(key))):
                found[key] = _difference(parts, stored[key], e)
        moving = self._find_moving(list(found), stored)
        return Look(
            {key: difference for key, difference in found.items() if key not in moving},
            {key: difference for key, difference in found.items() if key in moving},
            len(keys) - len(expected),
        )

    def _read(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, _Stored]:
        states = self._schedules.read(keys)
        documents = self._schedules.documents(keys)
        heads = self._feed.heads_of(keys)
        return {key: _Stored(states[key], documents.get(key), heads.get(key)) for key in keys}

    def _judge(self, stored: Mapping[ScheduleKey, _Stored]) -> dict[ScheduleKey, AcceptedSchedule | NoSource]:
        """The source of each as it should be accepted: what is refused leaves what is held.

        Those of which the source could not be read are left out.
        """
        found = self._source.fetch(list(stored))
        earlier = self._rejected.find([str(key) for key in stored])
        now = self._clock()
        judged: dict[ScheduleKey, AcceptedSchedule | NoSource] = {}
        for key, source in found.items():
            if isinstance(source, Exception):
                continue
            held = _held(stored[key].state)
            match judge_source(
                key, source, len(held.slots), earlier.get(str(key)), self._smallest_share, now
            ):
                case Accepted(schedule):
                    judged[key] = schedule
                case Removed():
                    judged[key] = NoSource()
                case _:
                    judged[key] = held
        return judged

    def _expect(
        self, sources: Mapping[ScheduleKey, AcceptedSchedule | NoSource]
    ) -> dict[ScheduleKey, _Expected]:
        items = self._read_items(set().union(*[source.episodes() for source in sources.values()]))
        episodes = [pid for source in sources.values() for pid in source.episodes()]
        programmes = {pid: resolve_programme(pid, items.by_pid.get) for pid in episodes}
        texts = render_programmes(programmes)
        expected = {}
        for key, source in sources.items():
            ancestors = find_ancestors(source.episodes(), lambda pid: programmes[pid].reads)
            accepted, etag = b"", ""
            if isinstance(source, AcceptedSchedule):
                accepted = render_accepted(source)
                etag = hash_content(fill(source.slots, map(texts.__getitem__, source.episode_pids)))
            expected[key] = _Expected(
                accepted=accepted,
                etag=etag,
                dependencies=dependencies(source.shown(), ancestors),
                uses_differing_copies=not items.differing.isdisjoint(source.episodes() | ancestors),
            )
        return expected

    def _read_items(self, pids: set[Pid]) -> _Items:
        """Level by level up the ancestry, both from the source and of our copies."""
        items: dict[Pid, CatalogueItem | None] = {}
        differing: set[Pid] = set()
        for _ in range(MAXIMUM_ANCESTORS + 1):
            level = sorted(pids - items.keys())
            theirs, ours = self._follower.read_source(level), self._copies.read(level)
            differing |= {pid for pid, item in theirs.items() if ours.get(pid) != render_copy(item)}
            items |= {pid: theirs.get(pid) or _parse_if_ours(pid, ours.get(pid)) for pid in level}
            found = [item for pid in level if (item := items[pid]) is not None]
            pids = {item.parent_pid for item in found if item.parent_pid is not None}
        return _Items(items, frozenset(differing))

    def _find_moving(
        self, keys: Sequence[ScheduleKey], stored: Mapping[ScheduleKey, _Stored]
    ) -> Collection[ScheduleKey]:
        """Those of which something is about to change, or has changed while we looked."""
        states = self._schedules.read(keys)
        moved = {key for key, state in states.items() if state != stored[key].state}
        return moved | self._work.unfinished(keys) | (self._work.quarantined().keys() & set(keys))


def _find_parts(stored: _Stored, expected: _Expected, *, lacks_entries: bool) -> frozenset[Part]:
    state = stored.state
    checks = {
        Part.SOURCE: (state.accepted or b"") == expected.accepted,
        Part.COPIES: not expected.uses_differing_copies,
        Part.DOCUMENT: is_document_right(stored.document, expected.etag, state.seq),
        Part.INDEX: not lacks_entries,
        Part.FEED: _head(stored) == (state.seq, state.etag),
    }
    return frozenset(part for part, is_right in checks.items() if not is_right)


def _difference(parts: frozenset[Part], stored: _Stored, expected: _Expected) -> Difference:
    """A build publishes where the etag in the state is another; where it is right and what is stored is not,
    or where the feed is ahead of the state, it would not, or not under a number that anybody takes.
    """
    seq, _ = _head(stored)
    is_hidden = stored.state.etag == expected.etag and not parts.isdisjoint({Part.DOCUMENT, Part.FEED})
    return Difference(parts, stored.state.committed_token, seq, is_hidden or seq > stored.state.seq)


def _head(stored: _Stored) -> tuple[int, str]:
    return (0, "") if stored.head is None else (stored.head.seq, stored.head.etag)


def is_document_right(document: bytes | None, etag: str, seq: int) -> bool:
    """Whether a document says what it should, by its own envelope and by the hash of its content. Pure."""
    if document is None or not etag:
        return document is None and not etag
    try:
        publication, content = split_document(document)
    except InvalidRecord:
        return False
    return (publication.seq, publication.etag) == (seq, etag) and hash_content(content) == etag


def _entries(state: ScheduleState, expected: _Expected) -> Dependencies:
    """What the index must have: what the source asks for, if it is accepted; else what is committed."""
    if (state.accepted or b"") == expected.accepted:
        return expected.dependencies
    return dependencies(_held(state).shown(), state.ancestors)


def _held(state: ScheduleState) -> AcceptedSchedule | NoSource:
    """What is held, or nothing where it cannot be read."""
    try:
        return NoSource() if state.accepted is None else parse_accepted(state.accepted)
    except InvalidRecord:
        return NoSource()


def _parse_if_ours(pid: Pid, copy: bytes | None) -> CatalogueItem | None:
    try:
        return None if copy is None else parse_copy(pid, copy)
    except InvalidRecord:
        return None
