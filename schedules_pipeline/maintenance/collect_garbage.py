"""Garbage collection: schedules past the horizon, and index entries and copies that nothing depends on.

Changes arrive during a collection. Each deletion is therefore one atomic step that checks its condition again;
earlier reads only select candidates. Anything that is needed again in between stays, and garbage that one
collection misses is found by the next. docs/adr/0011 argues each step.
"""

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain

from schedules_pipeline.documents.accepted_schedule import parse_accepted
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.dependencies import Entry, dependencies
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.domain.retention import RetentionHorizon
from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.maintenance.ports import MaintenanceSources, MaintenanceStore, PassName, PassReport
from schedules_pipeline.maintenance.record_pass import Say, recorded_pass, say_nothing
from schedules_pipeline.publishing.ports.rejections import RejectedKind
from schedules_pipeline.publishing.ports.schedules import ScheduleState
from schedules_pipeline.publishing.ports.work import Mark
from schedules_pipeline.publishing.urgency import due_at

_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class RetentionPeriods:
    """How long records are kept that no build needs.

    ``removals``: the record that a schedule was removed, with its sequence number; at least as long as a client
    of the feed may be behind.
    """

    feed: timedelta = timedelta(days=8)
    removals: timedelta = timedelta(days=8)
    rejections: timedelta = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class _Committed:
    """The token of a commit, and the hashes of its dependencies, in order: a tenth of the memory of the entries.

    An entry with the hash of another one is kept, which the index allows.
    """

    token: int
    hashes: "array[int]"

    def has(self, entry: Entry) -> bool:
        wanted = hash(entry)
        place = bisect_left(self.hashes, wanted)
        return place < len(self.hashes) and self.hashes[place] == wanted


@dataclass(frozen=True, slots=True)
class _Plan:
    """``committed``: without schedules whose accepted source cannot be decoded. ``expired``: schedules past the
    horizon whose removal is still to be published. ``forgettable``: those whose removal every client has had time to
    see.
    """

    committed: Mapping[ScheduleKey, _Committed] = field(default_factory=dict)
    expired: Sequence[ScheduleKey] = ()
    forgettable: Mapping[ScheduleKey, ScheduleState] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GarbageCollector:
    """Concurrent collections are safe; one is enough.

    ``further_steps``: collections of records that other rooms own, by the name of their count.
    """

    store: MaintenanceStore
    sources: MaintenanceSources
    calendar: BroadcastCalendar
    clock: Clock
    horizon: RetentionHorizon
    kept_for: RetentionPeriods
    further_steps: Mapping[str, Callable[[], int]]

    def collect(self, say: Say = say_nothing) -> PassReport:
        """Collect everything once. Schedules past the horizon are only marked: publishers publish their removal."""
        with recorded_pass(PassName.COLLECTION, self.store.passes, self.clock) as record:
            now = self.clock()
            plan = self._plan(now)
            say(f"{len(plan.committed)} schedules are held, {len(plan.expired)} of them past the horizon")
            self._expire(plan.expired, now)
            # Before states are forgotten: without the token of a commit, no entry can be called superfluous.
            entries = self._collect_entries(plan.committed)
            say(f"{entries} index entries were superfluous")
            counts = {
                "schedules held": len(plan.committed),
                "schedules expired": len(plan.expired),
                "index entries": entries,
                "schedules forgotten": self._forget(plan.forgettable),
                "stray records": self._forget_strays(),
                **self._collect_copies(),
            }
            say(f"{counts['catalogue copies']} catalogue copies had no dependants")
            counts["feed rows"] = self.store.feed.trim(now - self.kept_for.feed)
            counts["refusals"] = self._forget_rejections(now)
            counts |= {name: step() for name, step in self.further_steps.items()}
            return record(counts)

    def schedules_in_use(self) -> set[ScheduleKey]:
        """Every stored schedule, and every source document within the horizon."""
        listed = self.horizon.select(self.sources.schedule_source.list_keys(), self.clock())
        return {*listed, *chain.from_iterable(self.store.schedules.stored_keys())}

    # Schedules

    def _plan(self, now: datetime) -> _Plan:
        committed: dict[ScheduleKey, _Committed] = {}
        expired: list[ScheduleKey] = []
        forgettable: dict[ScheduleKey, ScheduleState] = {}
        for keys in self.store.schedules.stored_keys():
            pending = self.store.work.unfinished(keys)
            old = [key for key in keys if not self.horizon.keeps(key.date, now)]
            heads = self.store.feed.heads_of(old)
            states = self.store.schedules.read(keys)
            for key, state in states.items():
                # What such a schedule depends on is not known, so its entries stay.
                with suppress(InvalidRecord):
                    committed[key] = _committed(state)
            for key in old:
                if key in pending:
                    continue
                if _has_content(states[key]):
                    expired.append(key)
                elif _is_removal_seen(heads.get(key), now - self.kept_for.removals):
                    forgettable[key] = states[key]
        return _Plan(committed, expired, forgettable)

    def _expire(self, keys: Sequence[ScheduleKey], now: datetime) -> None:
        """Mark for rebuild; the build finds no source. Count up the source mark first, as the intake does."""
        cause = Cause("collection", Origin.RETENTION, "past the horizon", now)
        for start in range(0, len(keys), _BATCH):
            batch = keys[start : start + _BATCH]
            self.store.schedules.count_source_change(batch)
            self.store.work.mark([Mark(key, due_at(key, now, self.calendar), cause) for key in batch])

    def _forget(self, states: Mapping[ScheduleKey, ScheduleState]) -> int:
        """Forget the head first and the state last.

        If the process dies before the state is gone, a schedule that returns continues its numbers. In the other
        order it would begin with 1 below its old head, and the feed would reject its rows as old ones. The state
        is last because every other record of the schedule is found through it.
        """
        self.store.feed.forget_removals({key: state.seq for key, state in states.items()})
        still_there = self.store.feed.heads_of(list(states))
        tokens = {key: s.committed_token for key, s in states.items() if key not in still_there}
        self._forget_records(sorted(tokens))
        return len(self.store.schedules.forget(tokens))

    def _forget_records(self, keys: Sequence[ScheduleKey]) -> None:
        """All records of these schedules beside their states."""
        self.store.rejections.forget([str(key) for key in keys])
        self.store.quarantined_broadcasts.forget(keys)
        self.store.work.forget(keys)
        self.store.losses.end(keys)

    def _forget_strays(self) -> int:
        """Records of schedules that nothing else knows: an older release, or a loss of writes, has left them.

        They are read first, because a new schedule has a state before it has a record.
        """
        store, schedule = self.store, RejectedKind.SCHEDULE
        rejected = [subject for subject in store.rejections.times() if RejectedKind.of(subject) is schedule]
        recorded = {*map(ScheduleKey.parse, rejected), *store.quarantined_broadcasts.all()}
        recorded |= store.losses.holds().keys() | store.work.quarantined().keys()
        strays = sorted(recorded - self.schedules_in_use()) if recorded else []
        self._forget_records(strays)
        return len(strays)

    # What schedules depend on

    def _collect_entries(self, committed: Mapping[ScheduleKey, _Committed]) -> int:
        """Remove entries that the committed dependencies lack and no later build has registered.

        The state may have been read some time ago. A build that relies on an entry outside it either registered
        that entry itself, or found it in a later commit, whose build had registered it. Unless such a build is
        superseded, its token is above the one read here; so is the entry's score, and the entry stays. An entry
        of a schedule that never committed has a score above 0 and stays too.
        """
        removed = 0
        for pids in self.store.references.pids():
            superfluous: dict[ScheduleKey, list[Entry]] = defaultdict(list)
            for pid, references in self.store.references.references(pids).items():
                for key, broadcast_pid in references:
                    entry = Entry(pid, broadcast_pid)
                    if key in committed and not committed[key].has(entry):
                        superfluous[key].append(entry)
            for key, entries in superfluous.items():
                removed += self.store.references.unregister({key: entries}, committed[key].token)
        return removed

    def _collect_copies(self) -> dict[str, int]:
        """Delete copies without dependants, and records of missing items that no schedule uses."""
        collected = [self.store.copies.collect(pids) for pids in self._known_pids()]
        return {
            "catalogue copies": sum(counts.copies for counts in collected),
            "notes of missing items": sum(counts.absences for counts in collected),
        }

    def _known_pids(self) -> Iterable[Sequence[Pid]]:
        yield from self.store.copies.stored_pids()
        yield from self.store.copies.tracked_pids()

    # Records for operators

    def _forget_rejections(self, now: datetime) -> int:
        """Rejections of schedules stay until a build ends them."""
        before = now - self.kept_for.rejections
        old = [
            subject
            for subject, rejected_at in self.store.rejections.times().items()
            if rejected_at < before and RejectedKind.of(subject) is not RejectedKind.SCHEDULE
        ]
        self.store.rejections.forget(old)
        return len(old)


def _committed(state: ScheduleState) -> _Committed:
    shown = () if state.accepted is None else parse_accepted(state.accepted).shown()
    hashes = array("q", sorted(map(hash, dependencies(shown, state.ancestors))))
    return _Committed(state.committed_token, hashes)


def _has_content(state: ScheduleState) -> bool:
    """Whether a build still has something to remove."""
    return bool(state.etag) or state.accepted is not None or state.must_fetch


def _is_removal_seen(head: Change | None, before: datetime) -> bool:
    """Whether the removal was announced long enough ago, or there was nothing to remove."""
    return head is None or (head.is_removal and head.published_at <= before)
