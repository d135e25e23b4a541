"""Available and coming episodes: each once, with its series, brand and broadcasts.

The catalogue copies have no windows of availability. "Available" is therefore derived: an episode counts as available
for a number of days after a broadcast of it has begun.

A process that renders builds the table of both feeds from all schedules around today, and cuts pages from it for each
partner. It parses a schedule again only when a new version is published.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from threading import Lock
from typing import NamedTuple
from uuid import uuid4

from schedules_pipeline.delivery.mirror import Mirror, MirroredSchedule
from schedules_pipeline.delivery.representations import Rendered, rendered
from schedules_pipeline.documents.broadcasts import Halves, render_instant, render_json, split_broadcasts
from schedules_pipeline.documents.cursors import FeedCursor
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.interval import Interval

COMING_DAYS = 8
MOST_ENTRIES = 200
MOST_BROADCASTS = 5_000
"""A page with this many broadcasts ends, even below its limit; an entry is never split."""

_REBUILT_AFTER = timedelta(seconds=5)
_MARGIN_DAYS = 2
_ONE_SECOND = timedelta(seconds=1)
_SHARED = 60_000
_ETAG_BYTES = 12


TableVersion = tuple[FeedCursor, date]


class Feed(StrEnum):
    AVAILABLE = "available"
    COMING = "coming"


class Mention(NamedTuple):
    """One broadcast of a schedule. Many share their programme's bytes with other broadcasts and services."""

    key: ScheduleKey
    halves: Halves

    @property
    def place(self) -> tuple[str, str, str]:
        return self.halves.start, self.key.sid, self.halves.broadcast_pid


class Entry(NamedTuple):
    """``programme``: from the schedule that was published last. ``mentions``: in order of place."""

    episode_pid: str
    programme: bytes
    mentions: tuple[Mention, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """``pids``: the keys of the entries, in order."""

    pids: tuple[str, ...]
    entries: dict[str, Entry]


@dataclass(frozen=True, slots=True)
class Page:
    """``following``: the next page's ``after``; None on the last page."""

    entries: tuple[Entry, ...]
    following: str | None


def window_of(feed: Feed, now: datetime, available_days: int) -> Interval:
    """The interval of starts that count. A broadcast that begins in this second has begun."""
    begun = now.replace(microsecond=0) + _ONE_SECOND
    if feed is Feed.COMING:
        return Interval(begun, begun + timedelta(days=COMING_DAYS))
    return Interval(begun - timedelta(days=available_days), begun)


def days_of_both(now: datetime, available_days: int) -> list[date]:
    """The broadcast days whose schedules may list broadcasts of either window."""
    back, ahead = available_days + _MARGIN_DAYS, COMING_DAYS + _MARGIN_DAYS
    return [now.date() + timedelta(days=days) for days in range(-back, ahead)]


def find_mentions(key: ScheduleKey, document: bytes) -> tuple[Mention, ...]:
    """Every broadcast, also without an episode, because it may replace an earlier one that had one."""
    return tuple(Mention(key, _shared(halves)) for halves in split_broadcasts(document))


@lru_cache(_SHARED)
def _shared(halves: Halves) -> Halves:
    """Equal values become one object, to save memory; so do equal programmes of different values."""
    return halves._replace(programme=_shared_text(halves.programme))


@lru_cache(_SHARED)
def _shared_text(text: bytes) -> bytes:
    return text


def tabulate(mentions: Iterable[Sequence[Mention]]) -> Table:
    """``mentions``: of each schedule, in order of publication. If two schedules of a service list the same broadcast,
    the later publication counts.
    """
    latest: dict[tuple[Sid, str], Mention] = {}
    programmes: dict[str, bytes] = {}
    for of_schedule in mentions:
        for mention in of_schedule:
            latest[mention.key.sid, mention.halves.broadcast_pid] = mention
            programmes[mention.halves.episode_pid] = mention.halves.programme
    by_episode: dict[str, list[Mention]] = defaultdict(list)
    for mention in latest.values():
        by_episode[mention.halves.episode_pid].append(mention)
    by_episode.pop("", None)
    entries = {
        pid: Entry(pid, programmes[pid], tuple(sorted(listed, key=lambda mention: mention.place)))
        for pid, listed in by_episode.items()
    }
    return Table(tuple(sorted(entries)), entries)


def find_page(
    table: Table, window: Interval, may_see: Callable[[Sid], bool], after: str | None, limit: int
) -> Page:
    """The episodes after a pid, in order of pid, with their visible broadcasts in the window."""
    start, end = render_instant(window.start), render_instant(window.end)
    found: list[Entry] = []
    broadcasts = 0
    for pid in table.pids[bisect_right(table.pids, after) if after else 0 :]:
        entry = table.entries[pid]
        asked_for = tuple(m for m in entry.mentions if start <= m.halves.start < end and may_see(m.key.sid))
        if not asked_for:
            continue
        if len(found) == limit or broadcasts >= MOST_BROADCASTS:
            return Page(tuple(found), found[-1].episode_pid)
        found.append(entry._replace(mentions=asked_for))
        broadcasts += len(asked_for)
    return Page(tuple(found), None)


def render_page(page: Page) -> bytes:
    """As JSON: ``items``, each with an etag of its own, and ``next``."""
    items = b",".join(map(_render_entry, page.entries))
    following = render_json(page.following)
    return b'{"items":[' + items + b'],"next":' + following + b"}"


def _render_entry(entry: Entry) -> bytes:
    broadcasts = b",".join(map(_render_mention, entry.mentions))
    content = entry.programme + b',"broadcasts":[' + broadcasts + b"]"
    etag = blake2b(content, digest_size=_ETAG_BYTES).hexdigest()
    return f'{{"episode_pid":"{entry.episode_pid}","etag":"{etag}",'.encode() + content + b"}"


def _render_mention(mention: Mention) -> bytes:
    sid, day = mention.key
    return f'{{"sid":"{sid}","date":"{day.isoformat()}",'.encode() + mention.halves.slot + b"}"


class TableOfProcess:
    """The last table that this process made. Pickled by its name alone, so each process has one of its own."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = Lock()
        self._mentions: dict[ScheduleKey, tuple[MirroredSchedule, tuple[Mention, ...]]] = {}
        self._table = Table((), {})
        self._made_of: TableVersion | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return _table_of_process, (self._name,)

    def table(self, version: TableVersion, everything: Sequence[MirroredSchedule] | None) -> Table | None:
        """None if the table of this version is not here, and ``everything`` that it is made of is not given.

        While one thread makes the table, others get the one before.
        """
        if version == self._made_of:
            return self._table
        if everything is None:
            return None
        if self._lock.acquire(blocking=self._made_of is None):
            try:
                if version != self._made_of:
                    self._table, self._made_of = self._tabulate(everything), version
            finally:
                self._lock.release()
        return self._table

    def _tabulate(self, everything: Sequence[MirroredSchedule]) -> Table:
        in_order = sorted(everything, key=lambda held: (held.published_at, held.key.date))
        self._mentions = {held.key: (held, self._read(held)) for held in in_order}
        return tabulate(mentions for _, mentions in self._mentions.values())

    def _read(self, held: MirroredSchedule) -> tuple[Mention, ...]:
        known = self._mentions.get(held.key)
        if known is not None and known[0] == held:
            return known[1]
        document = held.document()
        return find_mentions(held.key, document) if document is not None else ()


@lru_cache(1)
def _table_of_process(name: str) -> TableOfProcess:
    return TableOfProcess(name)


class TablePlan(NamedTuple):
    """Calling it gives the table."""

    here: TableOfProcess
    version: TableVersion
    everything: Sequence[MirroredSchedule] | None

    @property
    def without_schedules(self) -> "TablePlan":
        """Small to send; gives None in a process that does not have this table."""
        return self._replace(everything=None)

    def __call__(self) -> Table | None:
        return self.here.table(self.version, self.everything)


def render_page_of(
    plan: TablePlan, window: Interval, sids: frozenset[Sid], after: str | None, limit: int
) -> Rendered | None:
    """None if the plan gives no table."""
    table = plan()
    if table is None:
        return None
    page = find_page(table, window, sids.__contains__, after, limit)
    return rendered(render_page(page), page.following)


class RememberedTable:
    """The table of the mirror's schedules. It is made again after a change, at most every five seconds."""

    def __init__(self, mirror: Mirror, available_days: int) -> None:
        self._mirror = mirror
        self._available_days = available_days
        self._here = TableOfProcess(uuid4().hex)
        self._planned: tuple[datetime, TablePlan] | None = None

    def plan(self, now: datetime) -> TablePlan:
        """Called in the event loop's thread. The plan is for another thread or process."""
        version = (self._mirror.cursor, now.date())
        if self._planned is not None:
            at, plan = self._planned
            if plan.version == version or now - at < _REBUILT_AFTER:
                return plan
        plan = TablePlan(self._here, version, self._everything(now))
        self._planned = now, plan
        return plan

    def _everything(self, now: datetime) -> list[MirroredSchedule]:
        return [
            held
            for sid in self._mirror.services()
            for day in days_of_both(now, self._available_days)
            if (held := self._mirror.held(ScheduleKey(sid, day))) is not None
        ]
