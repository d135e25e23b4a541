"""Collects what nobody needs: schedules past the horizon, index entries and copies that nothing depends on.

Everything here is done while changes arrive. So each thing goes by a step that looks once more, atomically,
whether it may; what was read beforehand only says where to look. Something that comes to be needed in between
stays, and something superfluous that is missed is found by the next collection. The argument for each step
is in docs/adr/0011.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from schedules_pipeline.documents.accepted_schedule import parse_accepted
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.dependencies import Dependencies, Entry, dependencies
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.retention import RetentionHorizon
from schedules_pipeline.errors import InvalidIdentifier
from schedules_pipeline.maintenance.ports.passes import PassName, PassReport, PassStore
from schedules_pipeline.maintenance.record_pass import Counts, Say, remember_pass, say_nothing
from schedules_pipeline.migration.ports.comparisons import ComparisonStore
from schedules_pipeline.migration.ports.legacy import LegacyKeyspace
from schedules_pipeline.publishing.ports.catalogue import CopyStore
from schedules_pipeline.publishing.ports.feed import ChangeFeed
from schedules_pipeline.publishing.ports.references import ReferenceIndex
from schedules_pipeline.publishing.ports.rejections import RejectionStore
from schedules_pipeline.publishing.ports.schedules import ScheduleState, ScheduleStore
from schedules_pipeline.publishing.ports.upstream import ScheduleSource
from schedules_pipeline.publishing.ports.work import Mark, WorkQueue
from schedules_pipeline.publishing.urgency import due_at

_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class RetentionPeriods:
    """How long things are kept that nobody needs for building. ``removals``: that a schedule was removed, with
    its sequence number; no shorter than anybody who follows the feed may be behind.
    """

    feed: timedelta = timedelta(days=8)
    removals: timedelta = timedelta(days=8)
    rejections: timedelta = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class _Held:
    """What a committed state depends on, and the token that it was committed under."""

    token: int
    dependencies: Dependencies


@dataclass(slots=True)
class _Plan:
    """What is to be done about schedules, found by reading all of their states."""

    held: dict[ScheduleKey, _Held] = field(default_factory=dict)
    expired: list[ScheduleKey] = field(default_factory=list)
    forgotten: dict[ScheduleKey, ScheduleState] = field(default_factory=dict)


class GarbageCollector:
    """One collection at a time is enough; two at once do no harm."""

    def __init__(
        self,
        schedules: ScheduleStore,
        copies: CopyStore,
        references: ReferenceIndex,
        work: WorkQueue,
        feed: ChangeFeed,
        rejected: RejectionStore,
        comparisons: ComparisonStore,
        passes: PassStore,
        source: ScheduleSource,
        legacy: LegacyKeyspace,
        calendar: BroadcastCalendar,
        clock: Clock,
        horizon: RetentionHorizon,
        kept_for: RetentionPeriods,
    ) -> None:
        self._schedules = schedules
        self._copies = copies
        self._references = references
        self._work = work
        self._feed = feed
        self._rejected = rejected
        self._comparisons = comparisons
        self._passes = passes
        self._source = source
        self._legacy = legacy
        self._calendar = calendar
        self._clock = clock
        self._horizon = horizon
        self._kept_for = kept_for

    def collect(self, say: Say = say_nothing) -> PassReport:
        """Collect everything once; ``say`` is told how far it is. The report is remembered, also of a failure.

        What is past the horizon is only marked here: its removal is published like any other.
        """
        return remember_pass(
            PassName.COLLECTION, self._passes, self._clock, lambda counts: self._collect(counts, say)
        )

    def services_in_use(self) -> set[Sid]:
        """Every service of which there is anything: here, or in the source within the horizon."""
        now = self._clock()
        listed = {key.sid for key in self._source.list_keys() if self._horizon.keeps(key.date, now)}
        return listed | {key.sid for keys in self._schedules.stored_keys() for key in keys}

    def _collect(self, counts: Counts, say: Say) -> str:
        now = self._clock()
        plan = self._plan(now)
        counts["schedules held"] = len(plan.held)
        say(f"{len(plan.held)} schedules are held, {len(plan.expired)} of them past the horizon")
        counts["schedules expired"] = self._expire(plan.expired, now)
        # Before states go: without the token of a commit no entry of a schedule can be told to be superfluous.
        counts["index entries"] = self._collect_entries(plan.held)
        say(f"{counts['index entries']} index entries were superfluous")
        counts["schedules forgotten"] = self._forget(plan.forgotten)
        counts |= self._collect_copies()
        say(f"{counts['catalogue copies']} catalogue copies had no dependants")
        counts["feed rows"] = self._feed.trim(now - self._kept_for.feed)
        counts["refusals"] = self._forget_rejections(now)
        counts["comparisons"] = self._forget_comparisons()
        return ""

    # Schedules

    def _plan(self, now: datetime) -> _Plan:
        plan = _Plan()
        for keys in self._schedules.stored_keys():
            unsettled = self._work.unfinished(keys)
            heads = self._feed.heads_of([key for key in keys if not self._horizon.keeps(key.date, now)])
            for key, state in self._schedules.read(keys).items():
                plan.held[key] = _held(state)
                if self._horizon.keeps(key.date, now) or key in unsettled:
                    continue
                if _is_to_go(state):
                    plan.expired.append(key)
                elif _is_history(heads.get(key), now - self._kept_for.removals):
                    plan.forgotten[key] = state
        return plan

    def _expire(self, keys: Sequence[ScheduleKey], now: datetime) -> int:
        """Have them built once more, which finds that they have no source. Counted up first, as by the intake."""
        cause = Cause("collection", Origin.RETENTION, "past the horizon", now)
        for start in range(0, len(keys), _BATCH):
            batch = keys[start : start + _BATCH]
            self._schedules.count_source_change(batch)
            self._work.mark([Mark(key, due_at(key, now, self._calendar), cause) for key in batch])
        return len(keys)

    def _forget(self, states: Mapping[ScheduleKey, ScheduleState]) -> int:
        """The head first: if we die before the state goes too, a schedule that returns takes the next number.

        The other way round it would begin with 1, below a head that is still there, and the feed would take
        its rows for old ones. And the state last: what else there is of a schedule nobody would find without it.
        """
        self._feed.forget_removals({key: state.seq for key, state in states.items()})
        still_there = self._feed.heads_of(list(states))
        tokens = {key: s.committed_token for key, s in states.items() if key not in still_there}
        keys = sorted(tokens)
        self._rejected.forget([str(key) for key in keys])
        self._comparisons.forget(keys)
        self._work.forget(keys)
        return len(self._schedules.forget(tokens))

    # What schedules depend on

    def _collect_entries(self, held: Mapping[ScheduleKey, _Held]) -> int:
        """Remove entries that the committed dependencies lack and no later build has registered.

        A state that was read a while ago is good enough. Whoever relies on an entry that it lacks is a build
        that registered the entry itself, or one that found it in a state committed since, which some build
        has registered. Unless these are overtaken, their tokens are above the one that we read; so is the
        score, and the entry stays. That of a schedule that never committed is above 0.
        """
        removed = 0
        for pids in self._references.pids():
            superfluous: dict[ScheduleKey, list[Entry]] = defaultdict(list)
            for pid, references in self._references.references(pids).items():
                for key, broadcast_pid in references:
                    entry = Entry(pid, broadcast_pid)
                    if key in held and entry not in held[key].dependencies:
                        superfluous[key].append(entry)
            for key, entries in superfluous.items():
                removed += self._references.unregister({key: entries}, held[key].token)
        return removed

    def _collect_copies(self) -> dict[str, int]:
        """Copies, and then what is remembered of items of which there is none."""
        copies = notes = 0
        for pids in self._pids_known():
            collected = self._copies.collect(pids)
            copies += collected.copies
            notes += collected.absences
        return {"catalogue copies": copies, "notes of missing items": notes}

    def _pids_known(self) -> Iterable[Sequence[Pid]]:
        yield from self._copies.stored_pids()
        yield from self._copies.tracked_pids()

    # What operators look at

    def _forget_rejections(self, now: datetime) -> int:
        """Those of schedules stay: they are what a second put of the same document confirms."""
        before = now - self._kept_for.rejections
        old = [
            subject
            for subject, rejection in self._rejected.all().items()
            if rejection.refused_at < before and not _is_schedule(subject)
        ]
        self._rejected.forget(old)
        return len(old)

    def _forget_comparisons(self) -> int:
        unknown = self._comparisons.all().keys() - self._feed.heads().keys()
        if unknown:
            unknown -= set(self._legacy.list_keys())
        self._comparisons.forget(sorted(unknown))
        return len(unknown)


def _held(state: ScheduleState) -> _Held:
    shown = () if state.accepted is None else parse_accepted(state.accepted).shown()
    return _Held(state.committed_token, dependencies(shown, state.ancestors))


def _is_to_go(state: ScheduleState) -> bool:
    """Whether a schedule past the horizon has anything left that only a build can take from it."""
    return bool(state.etag) or state.accepted is not None or state.must_fetch


def _is_history(head: Change | None, before: datetime) -> bool:
    """Whether nobody can be waiting to hear of the removal any more; also where there was nothing to remove."""
    return head is None or (head.is_removal and head.published_at <= before)


def _is_schedule(subject: str) -> bool:
    try:
        ScheduleKey.parse(subject)
    except InvalidIdentifier:
        return False
    return True
