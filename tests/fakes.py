"""Every port in memory: plain dicts that do what the ports' docstrings and the server-side scripts say.

Belongs here: the fakes, the clock that a test turns by hand, and the conditions under which they are used.
Does not belong here: anything that decides when to switch or to kill (``simulation``), or sample data.

Every method passes the *checkpoint* of its :class:`Conditions` before each of its effects, and once more
before it answers. What is one atomic step on Redis is one step here; a method that is a pipeline there is a
step for every command here, in any order, as the nodes of a cluster carry them out. Each guard of a script
is a small method, so that a test can take it out and see what happens.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import wraps
from random import Random
from threading import Lock
from typing import Concatenate, ParamSpec, TypeVar, cast
from zoneinfo import ZoneInfo

from schedules_pipeline.composition import Pipeline, Rules, Store, Upstreams
from schedules_pipeline.domain.alarms import AlarmName, Episode, Notice, Turn
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.dependencies import Entry, Reference
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.partners import Partner
from schedules_pipeline.domain.retention import KEEPS_EVERYTHING, RetentionHorizon
from schedules_pipeline.domain.subscriptions import Progress, Standing, Subscription
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.formats.change_row import parse_row, render_row
from schedules_pipeline.ports.catalogue import Begun, Collected, Stored
from schedules_pipeline.ports.coldstart import Coldstart, Epoch, Request, Stage
from schedules_pipeline.ports.feed import Change, FeedEntry
from schedules_pipeline.ports.history import VERSIONS_LISTED
from schedules_pipeline.ports.intake import QueueName, QueueNotes
from schedules_pipeline.ports.journal import (
    DURATION_BOUNDS,
    NO_DURATIONS,
    Comparison,
    Durations,
    Refusal,
    Verdict,
)
from schedules_pipeline.ports.parity import ParityPoint
from schedules_pipeline.ports.partners import USAGE_KEPT_DAYS, UsageCounts, UsageLine
from schedules_pipeline.ports.passes import PassName, PassRecord, PassReport
from schedules_pipeline.ports.pulses import DeliveryProcess
from schedules_pipeline.ports.schedules import DISTRUSTED, Commit, Committed, Outcome, ScheduleState
from schedules_pipeline.ports.served import NEVER_SWITCHED, Served
from schedules_pipeline.ports.subscriptions import Lease
from schedules_pipeline.ports.upstream import Message, QueueDepth, SourceObject
from schedules_pipeline.ports.work import (
    LONGEST_PAUSE,
    RISKY_ATTEMPTS,
    Backlog,
    Cause,
    Claim,
    Failure,
    Mark,
    Origin,
    Work,
)
from schedules_pipeline.workflows.collect_garbage import KeptFor

CAUSES_KEPT = 5
FENCE_KEPT_FOR = timedelta(days=1)
TAKEN_OVER_AFTER = timedelta(seconds=60)
VISIBLE_AGAIN_AFTER = timedelta(seconds=60)
MOST_RECEIVES = 5
MOST_PARITY_POINTS = 400
MOST_MESSAGES = 10

T = TypeVar("T")
P = ParamSpec("P")
EntriesBySchedule = Mapping[ScheduleKey, Iterable[Entry]]


class FakeClock:
    """Stands still until it is turned."""

    def __init__(self, now: datetime = datetime(2026, 3, 28, 12, tzinfo=UTC)) -> None:
        self._now = now

    def __call__(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        self._now += by


class Conditions:
    """What befalls those who use the fakes: nothing, unless a subclass says otherwise."""

    def checkpoint(self, step: str, about: Sequence[object] = ()) -> None:
        """Called before every effect and before every answer; may switch to another worker, or raise."""

    def arrange(self, items: list[T]) -> list[T]:
        """The order in which the commands of one pipeline take effect."""
        return items

    def asks_again(self) -> bool:
        """Whether the client never had the answer and sends the same once more, as Redis clients do."""
        return False


class Fake:
    """What all fakes share: the conditions that they are used under."""

    def __init__(self, conditions: Conditions) -> None:
        self.conditions = conditions

    def in_any_order(self, items: Iterable[T]) -> list[T]:
        """Sorted first, so that a run does not depend on how this process hashes strings."""
        return self.conditions.arrange(sorted(items, key=str))


F = TypeVar("F", bound=Fake)


def step(method: Callable[Concatenate[F, P], T]) -> Callable[Concatenate[F, P], T]:
    """One atomic effect: nothing comes in between, but anything may come before."""
    name = method.__name__

    @wraps(method)
    def stepped(self: F, *args: P.args, **kwargs: P.kwargs) -> T:
        self.conditions.checkpoint(name, args)
        return method(self, *args, **kwargs)

    return cast("Callable[Concatenate[F, P], T]", stepped)


def answered(method: Callable[Concatenate[F, P], T]) -> Callable[Concatenate[F, P], T]:
    """The answer is on its way, and may be lost, after every effect was had; then the client may ask again."""
    name = f"{method.__name__} answers"

    @wraps(method)
    def answering(self: F, *args: P.args, **kwargs: P.kwargs) -> T:
        answer = method(self, *args, **kwargs)
        self.conditions.checkpoint(name)
        if self.conditions.asks_again():
            answer = method(self, *args, **kwargs)
            self.conditions.checkpoint(name)
        return answer

    return cast("Callable[Concatenate[F, P], T]", answering)


# Schedules


@dataclass(slots=True)
class _Kept:
    state: ScheduleState
    document: bytes | None = None
    outbox: dict[int, bytes] = field(default_factory=dict)
    history: list[Change] = field(default_factory=list)
    replaced: dict[int, bytes] = field(default_factory=dict)


class FakeScheduleStore(Fake):
    """Implements :class:`~schedules_pipeline.ports.schedules.ScheduleStore`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self.kept: dict[ScheduleKey, _Kept] = {}

    @answered
    def count_source_change(self, keys: Sequence[ScheduleKey]) -> None:
        for key in self.in_any_order(keys):
            self._count_one(key)

    @answered
    def read(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, ScheduleState]:
        found = {key: self._read_one(key) for key in self.in_any_order(keys)}
        return {key: found[key] for key in keys}

    @answered
    def commit(self, commits: Sequence[Commit]) -> list[Committed]:
        by_key = {commit.key: commit for commit in commits}
        results = {key: self._commit_one(by_key[key]) for key in self.in_any_order(by_key)}
        return [results[commit.key] for commit in commits]

    @answered
    def announced(self, seqs: Mapping[ScheduleKey, int]) -> None:
        for key in self.in_any_order(seqs):
            self._announced_one(key, seqs[key])

    @answered
    def documents(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, bytes]:
        found = {key: self._document_one(key) for key in keys}
        return {key: document for key, document in found.items() if document is not None}

    def held(self) -> Iterator[list[ScheduleKey]]:
        self.conditions.checkpoint("held")
        yield sorted(self.kept)

    @answered
    def distrust(self, seqs: Mapping[ScheduleKey, int], token: int) -> None:
        for key in self.in_any_order(seqs):
            self._distrust_one(key, seqs[key], token)

    @answered
    def forget(self, tokens: Mapping[ScheduleKey, int]) -> set[ScheduleKey]:
        return {key for key in self.in_any_order(tokens) if self._forget_one(key, tokens[key])}

    def lose_state(self, key: ScheduleKey) -> None:
        """What a failover may do: the state is gone, the document is not."""
        lost = self.kept.pop(key)
        self.kept[key] = _Kept(ScheduleState(key), lost.document)

    @step
    def _count_one(self, key: ScheduleKey) -> None:
        kept = self._keep(key)
        kept.state = replace(kept.state, source_mark=kept.state.source_mark + 1)

    @step
    def _read_one(self, key: ScheduleKey) -> ScheduleState:
        return self.kept[key].state if key in self.kept else ScheduleState(key)

    @step
    def _commit_one(self, commit: Commit) -> Committed:
        kept = self._keep(commit.key)
        if self.is_repeated(kept.state, commit):
            was_published = kept.state.seq == commit.change.seq
            outcome = Outcome.PUBLISHED if was_published else Outcome.UNCHANGED
            return Committed(outcome, kept.state.seq, tuple(sorted(kept.outbox.items())))
        if self.is_overtaken(kept.state, commit):
            return Committed(Outcome.SUPERSEDED, kept.state.seq)
        if self.has_moved(kept.state, commit):
            return Committed(Outcome.MOVED, kept.state.seq)
        outcome, seq = Outcome.UNCHANGED, kept.state.seq
        if kept.state.etag != commit.etag or bool(commit.etag) != (kept.document is not None):
            outcome, seq = Outcome.PUBLISHED, commit.change.seq
            if kept.document is not None:
                kept.replaced[kept.state.seq] = kept.document
            kept.document = commit.document if commit.etag else None
            kept.outbox = {**self.left_behind(kept), seq: render_row(commit.change)}
            kept.history.insert(0, commit.change)
        accepted = (commit.accepted or None) if commit.accepted_is_new else kept.state.accepted
        kept.state = replace(
            kept.state,
            committed_token=commit.token,
            seq=seq,
            etag=commit.etag,
            seen_mark=self.mark_seen(kept.state, commit),
            accepted=accepted,
            ancestors=commit.ancestors,
        )
        return Committed(outcome, seq, tuple(sorted(kept.outbox.items())))

    @step
    def _announced_one(self, key: ScheduleKey, seq: int) -> None:
        outbox = self._keep(key).outbox
        for known in [known for known in outbox if known <= seq]:
            del outbox[known]

    @step
    def _document_one(self, key: ScheduleKey) -> bytes | None:
        return self.kept[key].document if key in self.kept else None

    @step
    def _distrust_one(self, key: ScheduleKey, seq: int, token: int) -> None:
        kept = self._keep(key)
        if token > kept.state.committed_token:
            kept.state = replace(
                kept.state, committed_token=token, etag=DISTRUSTED, seq=max(seq, kept.state.seq)
            )

    @step
    def _forget_one(self, key: ScheduleKey, token: int) -> bool:
        kept = self.kept.get(key)
        if kept is None or not self.may_forget(kept.state, token) or kept.outbox:
            return False
        del self.kept[key]
        return True

    def may_forget(self, state: ScheduleState, token: int) -> bool:
        """Whether nothing is shown, and nothing has happened since the state was read."""
        return not state.etag and state.committed_token == token and not state.must_fetch

    def is_repeated(self, state: ScheduleState, commit: Commit) -> bool:
        """Whether this very commit has had its effect, and is sent once more."""
        return state.committed_token == commit.token

    def is_overtaken(self, state: ScheduleState, commit: Commit) -> bool:
        """Whether a build that began later has committed."""
        return state.committed_token >= commit.token

    def has_moved(self, state: ScheduleState, commit: Commit) -> bool:
        """Whether somebody has committed since the build read its state."""
        return state.committed_token != commit.read_token

    def mark_seen(self, state: ScheduleState, commit: Commit) -> int:
        """The mark that the build read, not the one that is there by now."""
        return commit.seen_mark

    def left_behind(self, kept: _Kept) -> Mapping[int, bytes]:
        """Rows of earlier commits that the feed may lack."""
        return kept.outbox

    def _keep(self, key: ScheduleKey) -> _Kept:
        return self.kept.setdefault(key, _Kept(ScheduleState(key)))


class FakeVersionHistory(Fake):
    """Implements :class:`~schedules_pipeline.ports.history.VersionHistory`; nothing expires."""

    def __init__(self, conditions: Conditions, schedules: FakeScheduleStore) -> None:
        super().__init__(conditions)
        self._schedules = schedules

    @answered
    @step
    def versions(self, key: ScheduleKey) -> list[Change]:
        kept = self._schedules.kept.get(key)
        return [] if kept is None else kept.history[:VERSIONS_LISTED]

    @answered
    @step
    def document(self, key: ScheduleKey, seq: int) -> bytes | None:
        kept = self._schedules.kept.get(key)
        if kept is None:
            return None
        return kept.document if kept.state.seq == seq else kept.replaced.get(seq)

    def compact(self, replaced: Sequence[tuple[ScheduleKey, int]]) -> None:
        """There is nothing to be seen of it."""


# The catalogue


class FakeReferenceIndex(Fake):
    """Implements :class:`~schedules_pipeline.ports.references.ReferenceIndex`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self.scores: dict[Pid, dict[Reference, int]] = defaultdict(dict)

    @answered
    def register(self, entries: EntriesBySchedule, token: int) -> None:
        by_pid = _by_pid(entries)
        for pid in self.in_any_order(by_pid):
            self._register_one(pid, by_pid[pid], token)

    @answered
    def unregister(self, entries: EntriesBySchedule, token: int) -> int:
        by_pid = _by_pid(entries)
        return sum([self._unregister_one(pid, by_pid[pid], token) for pid in self.in_any_order(by_pid)])

    @answered
    def references(self, pids: Sequence[Pid]) -> dict[Pid, list[Reference]]:
        found = {pid: self._references_one(pid) for pid in self.in_any_order(pids)}
        return {pid: found[pid] for pid in pids}

    @answered
    def missing(self, entries: EntriesBySchedule) -> dict[ScheduleKey, list[Entry]]:
        lacking: dict[ScheduleKey, list[Entry]] = defaultdict(list)
        for key, wanted in entries.items():
            for entry in wanted:
                if not self._has_one(key, entry):
                    lacking[key].append(entry)
        return dict(lacking)

    def pids(self) -> Iterator[list[Pid]]:
        self.conditions.checkpoint("pids")
        yield sorted(pid for pid, scores in self.scores.items() if scores)

    def has_dependants(self, pid: Pid) -> bool:
        return bool(self.scores.get(pid))

    @step
    def _register_one(self, pid: Pid, references: Sequence[Reference], token: int) -> None:
        for reference in references:
            self.scores[pid][reference] = max(token, self.scores[pid].get(reference, token))

    @step
    def _unregister_one(self, pid: Pid, references: Sequence[Reference], token: int) -> int:
        scores = self.scores[pid]
        gone = [reference for reference in references if self.may_remove(scores.get(reference), token)]
        for reference in gone:
            scores.pop(reference, None)
        return len(gone)

    def may_remove(self, score: int | None, token: int) -> bool:
        """Whether nobody has registered the reference anew since the token was taken."""
        return score is not None and score <= token

    @step
    def _references_one(self, pid: Pid) -> list[Reference]:
        return sorted(self.scores.get(pid, ()), key=str)

    @step
    def _has_one(self, key: ScheduleKey, entry: Entry) -> bool:
        return Reference(key, entry.broadcast_pid) in self.scores.get(entry.pid, ())


def _by_pid(entries: EntriesBySchedule) -> dict[Pid, list[Reference]]:
    by_pid: dict[Pid, list[Reference]] = defaultdict(list)
    for key, wanted in entries.items():
        for entry in wanted:
            by_pid[entry.pid].append(Reference(key, entry.broadcast_pid))
    return by_pid


@dataclass(slots=True)
class Fence:
    """What is known of an item besides its copy; gone a while after its last use, unless something is owed
    or missed.
    """

    token: int = 0
    newest: int = 0
    owed: int | None = None
    is_missed: bool = False
    expires_at: datetime | None = None


class FakeCopyStore(Fake):
    """Implements :class:`~schedules_pipeline.ports.catalogue.CopyStore`."""

    def __init__(self, conditions: Conditions, references: FakeReferenceIndex, clock: FakeClock) -> None:
        super().__init__(conditions)
        self.copies: dict[Pid, bytes] = {}
        self.fences: dict[Pid, Fence] = {}
        self._references = references
        self._clock = clock

    @answered
    def begin(self, pids: Sequence[Pid]) -> dict[Pid, Begun]:
        begun = {pid: self._begin_one(pid) for pid in self.in_any_order(pids)}
        return {pid: begun[pid] for pid in pids}

    @answered
    def store(self, values: Mapping[Pid, tuple[int, bytes]]) -> dict[Pid, Stored]:
        stored = {pid: self._store_one(pid, *values[pid]) for pid in self.in_any_order(values)}
        return {pid: stored[pid] for pid in values}

    @answered
    def settle(self, tokens: Mapping[Pid, int]) -> None:
        for pid in self.in_any_order(tokens):
            self._settle_one(pid, tokens[pid])

    @answered
    def read(self, pids: Sequence[Pid]) -> dict[Pid, bytes]:
        found = {pid: self._read_one(pid) for pid in self.in_any_order(pids)}
        return {pid: copy for pid in pids if (copy := found[pid]) is not None}

    @answered
    def take_tokens(self, pids: Sequence[Pid]) -> dict[Pid, int]:
        return {pid: self._take_token(pid) for pid in self.in_any_order(pids)}

    @answered
    def plant(self, values: Mapping[Pid, tuple[int, bytes]]) -> dict[Pid, bytes | None]:
        planted = {pid: self._plant_one(pid, *values[pid]) for pid in self.in_any_order(values)}
        return {pid: planted[pid] for pid in values}

    @answered
    def note_missing(self, pids: Sequence[Pid]) -> None:
        for pid in self.in_any_order(pids):
            self._note_one(pid)

    @answered
    def outdate(self, pids: Sequence[Pid]) -> None:
        for pid in self.in_any_order(pids):
            self._outdate_one(pid)

    def held(self) -> Iterator[list[Pid]]:
        self.conditions.checkpoint("held")
        yield sorted(self.copies)

    def fenced(self) -> Iterator[list[Pid]]:
        self.conditions.checkpoint("fenced")
        yield sorted(self.fences)

    @answered
    def collect(self, pids: Sequence[Pid]) -> Collected:
        gone = [self._collect_one(pid) for pid in self.in_any_order(pids)]
        return Collected(sum(copies for copies, _ in gone), sum(notes for _, notes in gone))

    @step
    def _begin_one(self, pid: Pid) -> Begun:
        fence = self.fence(pid)
        fence.token += 1
        needed = self.is_needed(pid)
        if not needed:
            fence.newest, fence.is_missed = self.fence_of_ignored(fence), False
        self._touch(fence)
        return Begun(fence.token, needed, fence.owed is not None)

    @step
    def _store_one(self, pid: Pid, token: int, value: bytes) -> Stored:
        fence = self.fence(pid)
        changed, previous = False, None
        if self.is_fresh(fence, token):
            changed = self.copies.get(pid) != value
            previous = self.copies.get(pid) if changed else None
            fence.newest = token if changed else self.fence_of_equal(fence, token)
            if changed:
                self.copies[pid] = value
                self.owe(fence, token)
        return Stored(changed, changed or fence.owed is not None, previous)

    @step
    def _settle_one(self, pid: Pid, token: int) -> None:
        fence = self.fence(pid)
        if fence.owed is not None and self.may_settle(fence.owed, token):
            fence.owed = None
            self._touch(fence)

    @step
    def _read_one(self, pid: Pid) -> bytes | None:
        return self.copies.get(pid)

    @step
    def _take_token(self, pid: Pid) -> int:
        fence = self.fence(pid)
        fence.token += 1
        self._touch(fence)
        return fence.token

    @step
    def _plant_one(self, pid: Pid, token: int, value: bytes) -> bytes | None:
        fence = self.fence(pid)
        self._touch(fence)
        if pid in self.copies:
            return self.copies[pid]
        if not self.may_plant(fence, token):
            return None
        self.copies[pid] = value
        fence.newest = token
        if self.is_missed(fence):
            self.owe(fence, token)
        return value

    @step
    def _outdate_one(self, pid: Pid) -> None:
        if pid in self.fences:
            fence = self.fence(pid)
            fence.token += 1
            fence.newest = self.fence_of_outdated(fence)

    @step
    def _note_one(self, pid: Pid) -> None:
        if pid not in self.copies:
            fence = self.fence(pid)
            fence.is_missed = True
            fence.expires_at = None

    @step
    def _collect_one(self, pid: Pid) -> tuple[int, int]:
        return self.remove(pid) if self.is_superfluous(pid) else (0, 0)

    def is_superfluous(self, pid: Pid) -> bool:
        """Whether nothing depends on the item, and nobody is owed a change of it."""
        return not self._references.has_dependants(pid) and self.fence(pid).owed is None

    def remove(self, pid: Pid) -> tuple[int, int]:
        """Delete copy and note; the fence stays, for somebody may be about to store what was read before."""
        fence = self.fence(pid)
        gone = int(self.copies.pop(pid, None) is not None), int(fence.is_missed)
        fence.is_missed = False
        self._touch(fence)
        return gone

    def is_needed(self, pid: Pid) -> bool:
        """Whether an item has to be followed. A copy without dependants counts: it may be used again."""
        return pid in self.copies or self._references.has_dependants(pid)

    def is_fresh(self, fence: Fence, token: int) -> bool:
        """Whether nothing newer was recorded than what this token's holder has read."""
        return token > fence.newest

    def may_plant(self, fence: Fence, token: int) -> bool:
        return token > fence.newest

    def may_settle(self, owed: int, token: int) -> bool:
        """Whether the debt is not newer than what was propagated."""
        return owed <= token

    def fence_of_ignored(self, fence: Fence) -> int:
        """Nobody may store what was read before an event that was ignored."""
        return fence.token

    def fence_of_outdated(self, fence: Fence) -> int:
        """Nobody may store what was read before notifications were thrown away."""
        return fence.token

    def fence_of_equal(self, fence: Fence, token: int) -> int:
        """Nobody may store what was read before a value that turned out to be the same."""
        return token

    def owe(self, fence: Fence, token: int) -> None:
        """What is owed does not expire."""
        fence.owed, fence.is_missed, fence.expires_at = token, False, None

    def is_missed(self, fence: Fence) -> bool:
        """Whether some build has relied on there being no copy."""
        return fence.is_missed

    def fence(self, pid: Pid) -> Fence:
        known = self.fences.get(pid)
        if known is None or (known.expires_at is not None and known.expires_at <= self._clock()):
            known = self.fences[pid] = Fence()
        return known

    def _touch(self, fence: Fence) -> None:
        if fence.owed is None and not fence.is_missed:
            fence.expires_at = self._clock() + FENCE_KEPT_FOR


class FakeCatalogueSource(Fake):
    """Implements :class:`~schedules_pipeline.ports.catalogue.CatalogueSource`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self.documents: dict[Pid, bytes] = {}

    @answered
    def read(self, pids: Sequence[Pid]) -> dict[Pid, bytes]:
        found = {pid: self._read_one(pid) for pid in self.in_any_order(pids)}
        return {pid: content for pid in pids if (content := found[pid]) is not None}

    @step
    def _read_one(self, pid: Pid) -> bytes | None:
        return self.documents.get(pid)


# The work queue


@dataclass(frozen=True, slots=True)
class _Causes:
    count: int = 0
    first: tuple[Cause, ...] = ()

    def and_later(self, later: "_Causes") -> "_Causes":
        return _Causes(self.count + later.count, (*self.first, *later.first)[:CAUSES_KEPT])


class FakeWorkQueue(Fake):
    """Implements :class:`~schedules_pipeline.ports.work.WorkQueue`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self.dirty: dict[ScheduleKey, datetime] = {}
        self.waiting: dict[ScheduleKey, datetime] = {}
        self.leases: dict[ScheduleKey, datetime] = {}
        self.tokens: dict[ScheduleKey, int] = {}
        self.causes: dict[ScheduleKey, _Causes] = {}
        self.claimed_causes: dict[ScheduleKey, _Causes] = {}
        self.attempts: dict[ScheduleKey, int] = defaultdict(int)
        self.aside: dict[ScheduleKey, str] = {}
        self.token = 0

    @answered
    @step
    def mark(self, marks: Sequence[Mark]) -> None:
        for mark in marks:
            self._make_dirty(mark.key, mark.due_at)
            self.waiting.pop(mark.key, None)
            known = self.causes.get(mark.key, _Causes())
            self.causes[mark.key] = known.and_later(_Causes(1, (mark.cause,)))

    def require_writable(self) -> None:
        """Whatever can be asked can be written."""

    @answered
    @step
    def claim(self, limit: int, now: datetime, lease_for: timedelta) -> Claim | None:
        self._clamp(now, lease_for)
        self._return_what_is_due(now)
        chosen = self._choose(limit)
        return self._take(chosen, now + lease_for) if chosen else None

    @answered
    @step
    def claim_exactly(
        self, keys: Sequence[ScheduleKey], cause: Cause, now: datetime, lease_for: timedelta
    ) -> Claim:
        self._clamp(now, lease_for)
        self._return_what_is_due(now)
        return self._take(keys, now + lease_for, _Causes(1, (cause,))) if keys else Claim(0, ())

    @answered
    @step
    def renew(self, claim: Claim, until: datetime) -> None:
        for work in claim.work:
            if self.is_holder(claim, work.key):
                self.leases[work.key] = until

    @answered
    @step
    def release(self, claim: Claim, keys: Sequence[ScheduleKey]) -> None:
        for key in keys:
            if self.is_holder(claim, key):
                self._forget_claim(key)
                self.attempts.pop(key, None)
                self.aside.pop(key, None)

    @answered
    @step
    def postpone(self, claim: Claim, failures: Mapping[ScheduleKey, Failure], *, counts: bool) -> None:
        for key, failure in failures.items():
            if self.is_holder(claim, key):
                self._postpone_one(key, failure, counts=counts)

    @answered
    @step
    def wait(self, seconds: float) -> None:
        """Returns at once: it may return for no reason."""

    @answered
    @step
    def backlog(self) -> Backlog:
        oldest = min(self.dirty.values(), default=None)
        return Backlog(len(self.dirty), len(self.leases), len(self.waiting), len(self.aside), oldest)

    @answered
    @step
    def pending_since(self) -> dict[Origin, datetime]:
        pending = [c for kept in (*self.causes.values(), *self.claimed_causes.values()) for c in kept.first]
        return {
            origin: min(cause.notified_at for cause in pending if cause.origin is origin)
            for origin in {cause.origin for cause in pending}
        }

    @answered
    @step
    def unsettled(self, keys: Sequence[ScheduleKey]) -> set[ScheduleKey]:
        return {key for key in keys if key in self.dirty or key in self.leases or key in self.waiting}

    @answered
    @step
    def set_aside(self) -> dict[ScheduleKey, str]:
        return dict(self.aside)

    @answered
    @step
    def forget(self, keys: Sequence[ScheduleKey]) -> None:
        for key in keys:
            self.attempts.pop(key, None)
            self.aside.pop(key, None)

    def has_claimable(self, now: datetime) -> bool:
        """Whether a claim made now would find anything; touches nothing."""
        due = [*self.leases.values(), *self.waiting.values()]
        return any(key not in self.tokens for key in self.dirty) or any(at <= now for at in due)

    def is_holder(self, claim: Claim, key: ScheduleKey) -> bool:
        """Whether nobody has claimed the schedule anew since."""
        return self.tokens.get(key) == claim.token

    def _make_dirty(self, key: ScheduleKey, due_at: datetime) -> None:
        self.dirty[key] = min(due_at, self.dirty.get(key, due_at))

    def _clamp(self, now: datetime, lease_for: timedelta) -> None:
        """What lasts longer than the longest pause is a clock's mistake."""
        latest = now + LONGEST_PAUSE
        for times, to in ((self.leases, now + lease_for), (self.waiting, latest)):
            times.update({key: to for key, time in times.items() if time > latest})

    def _return_what_is_due(self, now: datetime) -> None:
        for key, end in [(key, end) for key, end in self.leases.items() if end <= now]:
            merged = self.claimed_causes[key].and_later(self.causes.get(key, _Causes()))
            self._make_dirty(key, now)
            self.causes[key] = merged
            self._forget_claim(key)
            self.attempts[key] += end >= now - LONGEST_PAUSE
        for key in [key for key, retry_at in self.waiting.items() if retry_at <= now]:
            self._make_dirty(key, now)
            del self.waiting[key]

    def _choose(self, limit: int) -> list[ScheduleKey]:
        chosen: list[ScheduleKey] = []
        for key in sorted(self.dirty, key=lambda k: (self.dirty[k], str(k))):
            if len(chosen) >= limit:
                break
            if key in self.tokens:
                continue
            if self.attempts.get(key, 0) < RISKY_ATTEMPTS:
                chosen.append(key)
            elif not chosen:
                return [key]
        return chosen

    def _take(self, keys: Sequence[ScheduleKey], lease_end: datetime, cause: _Causes = _Causes()) -> Claim:
        self.token += 1
        return Claim(self.token, tuple([self._take_one(key, lease_end, cause) for key in keys]))

    def _take_one(self, key: ScheduleKey, lease_end: datetime, cause: _Causes) -> Work:
        older = self.claimed_causes.get(key, _Causes())
        causes = older.and_later(self.causes.pop(key, _Causes())).and_later(cause)
        self.dirty.pop(key, None)
        self.waiting.pop(key, None)
        self.leases[key] = lease_end
        self.tokens[key] = self.token
        self.claimed_causes[key] = causes
        return Work(key, causes.first, causes.count, self.attempts.get(key, 0))

    def _postpone_one(self, key: ScheduleKey, failure: Failure, *, counts: bool) -> None:
        causes = self.claimed_causes[key]
        self._forget_claim(key)
        self.attempts[key] += counts
        if failure.retry_at is None:
            self.aside[key] = failure.reason
            del self.attempts[key]
        else:
            if key not in self.dirty:
                self.waiting[key] = failure.retry_at
            self.causes[key] = causes.and_later(self.causes.get(key, _Causes()))

    def _forget_claim(self, key: ScheduleKey) -> None:
        del self.leases[key], self.tokens[key], self.claimed_causes[key]


# The change feed


class FakeChangeFeed(Fake):
    """Implements :class:`~schedules_pipeline.ports.feed.ChangeFeed`; positions are whole numbers from 1."""

    def __init__(self, conditions: Conditions, clock: FakeClock) -> None:
        super().__init__(conditions)
        self.rows: list[bytes] = []
        self._clock = clock
        self._heads: dict[ScheduleKey, tuple[int, bytes]] = {}
        self._taken_at: dict[int, datetime] = {}
        self._recorded: set[int] = set()
        self._appended_at: list[datetime] = []
        self._first = self._next = 1

    @answered
    @step
    def append(self, rows: Sequence[tuple[ScheduleKey, int, bytes]]) -> None:
        for key, seq, row in rows:
            if seq > self._heads.get(key, (0, b""))[0]:
                self.rows.append(row)
                self._appended_at.append(self._clock())
                self._heads[key] = seq, row

    @answered
    @step
    def known(self) -> int:
        return len(self._heads)

    @answered
    @step
    def heads(self) -> dict[ScheduleKey, Change]:
        return {key: parse_row(row) for key, (_, row) in self._heads.items()}

    @answered
    @step
    def heads_of(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, Change]:
        return {key: parse_row(self._heads[key][1]) for key in keys if key in self._heads}

    @answered
    @step
    def forget_removals(self, seqs: Mapping[ScheduleKey, int]) -> None:
        for key, seq in seqs.items():
            if key in self._heads and self._heads[key][0] == seq and self._change(key).is_removal:
                del self._heads[key]

    @answered
    @step
    def trim(self, before: datetime) -> int:
        kept = [number for number in self._numbers(1) if self._appended_at[number - 1] >= before]
        gone = range(self._first, min(kept, default=len(self.rows) + 1))
        self._first += len(gone)
        self._next = max(self._next, self._first)
        for number in gone:
            self._taken_at.pop(number, None)
            self._recorded.add(number)
        return len(gone)

    @answered
    @step
    def read_after(self, position: str, limit: int) -> list[FeedEntry]:
        after = int(position)
        return [self._entry(number) for number in self._numbers(after + 1)[:limit]]

    def wait_after(self, position: str, limit: int, seconds: float) -> list[FeedEntry]:
        return self.read_after(position, limit)

    @answered
    @step
    def last_position(self) -> str:
        return str(len(self.rows))

    @answered
    @step
    def complete_after(self) -> str:
        return str(self._first - 1)

    @answered
    @step
    def position_before(self, at: datetime) -> str:
        return str(sum(parse_row(row).published_at < at for row in self.rows))

    @answered
    @step
    def take_unrecorded(self, consumer: str, limit: int) -> list[FeedEntry]:
        now = self._clock()
        left_behind = [n for n, at in sorted(self._taken_at.items()) if now - at >= TAKEN_OVER_AFTER]
        taken = (left_behind or self._numbers(self._next))[:limit]
        self._taken_at.update(dict.fromkeys(taken, now))
        self._next = max([self._next, *(number + 1 for number in taken)])
        return [self._entry(number) for number in taken]

    @answered
    @step
    def confirm_recorded(self, positions: Sequence[str]) -> None:
        for position in positions:
            if self._taken_at.pop(int(position), None) is not None:
                self._recorded.add(int(position))

    @answered
    @step
    def unrecorded(self) -> int:
        return len(self.rows) - len(self._recorded)

    def _numbers(self, first: int) -> list[int]:
        return list(range(max(first, self._first), len(self.rows) + 1))

    def _change(self, key: ScheduleKey) -> Change:
        return parse_row(self._heads[key][1])

    def _entry(self, number: int) -> FeedEntry:
        return FeedEntry(str(number), parse_row(self.rows[number - 1]))


# What operators look at


class FakeRefusedInput(Fake):
    """Implements :class:`~schedules_pipeline.ports.journal.RefusedInput`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._kept: dict[str, Refusal] = {}

    @answered
    def keep(self, refusals: Mapping[str, Refusal]) -> None:
        for subject in self.in_any_order(refusals):
            self._keep_one(subject, refusals[subject])

    @answered
    @step
    def find(self, subjects: Sequence[str]) -> dict[str, Refusal]:
        return {subject: self._kept[subject] for subject in subjects if subject in self._kept}

    @answered
    @step
    def forget(self, subjects: Sequence[str]) -> None:
        for subject in subjects:
            self._kept.pop(subject, None)

    @answered
    @step
    def count(self) -> int:
        return len(self._kept)

    @answered
    @step
    def all(self) -> dict[str, Refusal]:
        return dict(self._kept)

    @step
    def _keep_one(self, subject: str, refused: Refusal) -> None:
        self._kept[subject] = refused


class FakeComparisons(Fake):
    """Implements :class:`~schedules_pipeline.ports.journal.Comparisons`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._kept: dict[ScheduleKey, Comparison] = {}
        self._refresh = ""

    @answered
    def keep(self, comparisons: Mapping[ScheduleKey, Comparison]) -> None:
        for key in self.in_any_order(comparisons):
            self._keep_one(key, comparisons[key])

    @answered
    @step
    def forget(self, keys: Sequence[ScheduleKey]) -> None:
        for key in keys:
            self._kept.pop(key, None)

    @answered
    @step
    def find(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, Comparison]:
        return {key: self._kept[key] for key in keys if key in self._kept}

    @answered
    @step
    def all(self) -> dict[ScheduleKey, Comparison]:
        return dict(self._kept)

    @answered
    @step
    def tally(self) -> dict[tuple[Sid, Verdict], int]:
        return Counter((key.sid, comparison.verdict) for key, comparison in self._kept.items())

    @answered
    @step
    def compared_refresh(self) -> str:
        return self._refresh

    @answered
    @step
    def note_compared_refresh(self, refreshed_at: str) -> None:
        self._refresh = refreshed_at

    @step
    def _keep_one(self, key: ScheduleKey, comparison: Comparison) -> None:
        self._kept[key] = comparison


class FakeFailingChecks(Fake):
    """Implements :class:`~schedules_pipeline.ports.journal.FailingChecks`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._failing: dict[tuple[ScheduleKey, str], str] = {}

    @answered
    @step
    def note(self, outcomes: Mapping[tuple[ScheduleKey, str], str | None]) -> None:
        for check, text in outcomes.items():
            self._failing.pop(check, None)
            if text is not None:
                self._failing[check] = text

    @answered
    @step
    def all(self) -> dict[tuple[ScheduleKey, str], str]:
        return dict(self._failing)


@dataclass(slots=True)
class _Delivery:
    channel: str
    notice: Notice
    leased_until: datetime | None = None


class FakeAlarmBook(Fake):
    """Implements :class:`~schedules_pipeline.ports.alarms.AlarmBook`; also for several threads at once."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._episodes: dict[AlarmName, Episode] = {}
        self._outbox: list[_Delivery] = []
        self._since: datetime | None = None
        self._lock = Lock()

    @answered
    @step
    def episodes(self) -> list[Episode]:
        return [self._episodes[name] for name in sorted(self._episodes)]

    @answered
    @step
    def turn(self, turn: Turn, channels: tuple[str, ...]) -> bool:
        with self._lock:
            known = self._episodes.get(turn.episode.name)
            if turn.episode.revision != (known.revision if known else 0) + 1:
                return False
            self._episodes[turn.episode.name] = turn.episode
            if turn.notice:
                self._outbox += [_Delivery(channel, turn.notice) for channel in channels]
            return True

    @answered
    @step
    def take_notice(self, channel: str, now: datetime, lease_for: timedelta) -> Notice | None:
        with self._lock:
            first: dict[AlarmName, _Delivery] = {}
            for delivery in self._outbox:
                if delivery.channel == channel:
                    first.setdefault(delivery.notice.name, delivery)
            free = [d for d in first.values() if d.leased_until is None or d.leased_until <= now]
            if not free:
                return None
            chosen = min(free, key=lambda d: d.leased_until.timestamp() if d.leased_until else 0.0)
            chosen.leased_until = now + lease_for
            return chosen.notice

    @answered
    @step
    def delivered(self, channel: str, notice: Notice) -> None:
        with self._lock:
            self._outbox = [d for d in self._outbox if (d.channel, d.notice.id) != (channel, notice.id)]

    @answered
    @step
    def undelivered(self) -> int:
        return len(self._outbox)

    @answered
    @step
    def watched_since(self, now: datetime) -> datetime:
        self._since = self._since or now
        return self._since


class FakeCounters(Fake):
    """Implements :class:`~schedules_pipeline.ports.journal.Counters`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._totals: dict[str, int] = {}
        self._durations: dict[str, Durations] = {}

    @answered
    def add(
        self, amounts: Mapping[str, int], durations: Mapping[str, Sequence[float]] = NO_DURATIONS
    ) -> None:
        for name, amount in amounts.items():
            if amount:
                self._add_one(name, amount)
        for name, all_seconds in durations.items():
            for seconds in all_seconds:
                self._time_one(name, seconds)

    @answered
    @step
    def all(self) -> dict[str, int]:
        return dict(self._totals)

    @answered
    @step
    def durations(self) -> dict[str, Durations]:
        return dict(self._durations)

    @step
    def _add_one(self, name: str, amount: int) -> None:
        self._totals[name] = self._totals.get(name, 0) + amount

    @step
    def _time_one(self, name: str, seconds: float) -> None:
        known = self._durations.get(name, Durations())
        counts = list(known.counts)
        counts[sum(bound < seconds for bound in DURATION_BOUNDS)] += 1
        self._durations[name] = Durations(tuple(counts), known.seconds + seconds)


class FakeIntakeNotes(Fake):
    """Implements :class:`~schedules_pipeline.ports.intake.IntakeNotes`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._notes = {queue: QueueNotes() for queue in QueueName}

    @answered
    @step
    def polled(self, queue: QueueName, began_at: datetime, oldest_sent_at: datetime | None) -> None:
        known = self._notes[queue]
        empty_at = began_at if oldest_sent_at is None else known.empty_at
        self._notes[queue] = QueueNotes(began_at, empty_at, oldest_sent_at or known.received_sent_at)

    @answered
    @step
    def all(self) -> dict[QueueName, QueueNotes]:
        return dict(self._notes)


class FakePublisherPresence(Fake):
    """Implements :class:`~schedules_pipeline.ports.presence.PublisherPresence`."""

    def __init__(self, conditions: Conditions, clock: FakeClock) -> None:
        super().__init__(conditions)
        self._clock = clock
        self._name = ""
        self._until = clock()

    @answered
    @step
    def book(self, name: str, seconds: int) -> bool:
        if self._present():
            return False
        self._set(name, seconds)
        return True

    @answered
    @step
    def renew(self, name: str, seconds: int) -> None:
        self._set(name, seconds)

    @answered
    @step
    def leave(self) -> None:
        self._name = ""

    @answered
    @step
    def name(self) -> str:
        return self._present()

    def _present(self) -> str:
        return self._name if self._clock() < self._until else ""

    def _set(self, name: str, seconds: int) -> None:
        self._name, self._until = name, self._clock() + timedelta(seconds=seconds)


class FakePassLog(Fake):
    """Implements :class:`~schedules_pipeline.ports.passes.PassLog`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._records: dict[PassName, PassRecord] = {}

    @answered
    @step
    def note(self, report: PassReport) -> None:
        known = self._records.get(report.name)
        before = known.latest_success if known else None
        self._records[report.name] = PassRecord(
            latest=report,
            latest_success=report if report.succeeded else before,
            runs=(known.runs if known else 0) + 1,
            failures=(known.failures if known else 0) + (not report.succeeded),
            seconds=(known.seconds if known else 0.0) + report.seconds,
        )

    @answered
    @step
    def all(self) -> dict[PassName, PassRecord]:
        return dict(self._records)


class FakeColdstartBook(Fake):
    """Implements :class:`~schedules_pipeline.ports.coldstart.ColdstartBook`."""

    def __init__(self, conditions: Conditions, clock: FakeClock) -> None:
        super().__init__(conditions)
        self._clock = clock
        self._latest: Coldstart | None = None
        self._left: dict[ScheduleKey, int] = {}
        self._leader = ""
        self._leads_until = self._paused_until = clock()
        self._epoch: Epoch | None = None

    @answered
    @step
    def open(self, coldstart_id: str, request: Request) -> Coldstart:
        if self._latest is None or self._latest.stage.is_final:
            self._latest, self._left, self._leader = Coldstart(coldstart_id, request, Stage.REQUESTED), {}, ""
        return self._latest

    @answered
    @step
    def latest(self) -> Coldstart | None:
        return self._latest

    @answered
    @step
    def lead(self, coldstart_id: str, worker: str, now: datetime, lease_for: timedelta) -> bool:
        latest = self._find(coldstart_id)
        if latest is None or latest.stage not in (Stage.REQUESTED, Stage.PREPARING):
            return False
        if self._leader not in ("", worker) and self._clock() < self._leads_until:
            return False
        self._leader, self._leads_until = worker, self._clock() + lease_for
        self._latest = replace(latest, stage=Stage.PREPARING, alive_at=now)
        return True

    @answered
    @step
    def settle(self, coldstart_id: str) -> None:
        latest = self._find(coldstart_id)
        if latest is not None:
            self._latest = replace(latest, is_settled=True)

    @answered
    @step
    def list_work(self, coldstart_id: str, shards: Sequence[Sequence[ScheduleKey]], now: datetime) -> None:
        latest = self._find(coldstart_id)
        if latest is not None and latest.stage is Stage.PREPARING:
            self._left = {key: number for number, keys in enumerate(shards) for key in keys}
            count = len(self._left)
            self._latest = replace(latest, stage=Stage.BUILDING, total=count, left=count, building_since=now)

    @answered
    @step
    def take(self, coldstart_id: str, shard: int, limit: int, now: datetime) -> list[ScheduleKey]:
        latest = self._find(coldstart_id)
        if latest is None or latest.stage is not Stage.BUILDING:
            return []
        self._latest = replace(latest, alive_at=now)
        ours = [key for key, number in self._left.items() if number == shard]
        return ours[:limit] or list(reversed(self._left))[:limit]

    @answered
    @step
    def built(self, coldstart_id: str, keys: Sequence[ScheduleKey], counts: Mapping[str, int]) -> None:
        latest = self._find(coldstart_id)
        if latest is not None and keys:
            for key in keys:
                self._left.pop(key, None)
            self._latest = replace(
                latest,
                left=len(self._left),
                published=latest.published + counts.get("published", 0),
                failed=latest.failed + counts.get("failed", 0),
            )

    @answered
    @step
    def end(self, coldstart_id: str, stage: Stage, now: datetime, problem: str = "") -> bool:
        latest = self._find(coldstart_id)
        if latest is None or latest.stage.is_final or (stage is Stage.REFUSED and latest.is_settled):
            return False
        self._latest = replace(latest, stage=stage, ended_at=now, problem=problem)
        if stage is Stage.FINISHED:
            self._epoch = self._epoch or Epoch(coldstart_id, 0)
        self._left, self._leader, self._paused_until = {}, "", self._clock()
        return True

    @answered
    @step
    def pause_intake(self, for_: timedelta) -> None:
        self._paused_until = self._clock() + for_

    @answered
    @step
    def intake_is_paused(self) -> bool:
        return self._clock() < self._paused_until

    @answered
    @step
    def epoch(self) -> Epoch | None:
        return self._epoch

    @answered
    @step
    def begin_epoch(self, epoch_id: str) -> None:
        self._epoch = self._epoch or Epoch(epoch_id, 0)

    @answered
    @step
    def renew_epoch(self, epoch_id: str) -> None:
        if self._epoch is not None:
            self._epoch = Epoch(epoch_id, self._epoch.pulse)

    @answered
    @step
    def beat(self) -> Epoch | None:
        before = self._epoch
        if before is not None:
            self._epoch = Epoch(before.id, before.pulse + 1)
        return before

    def is_open(self) -> bool:
        """Whether there is something to work at; touches nothing."""
        return self._latest is not None and not self._latest.stage.is_final

    def _find(self, coldstart_id: str) -> Coldstart | None:
        return self._latest if self._latest is not None and self._latest.id == coldstart_id else None


# The outside


class FakeParityTrend(Fake):
    """Implements :class:`~schedules_pipeline.ports.parity.ParityTrend`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._points: list[ParityPoint] = []

    @answered
    @step
    def note(self, point: ParityPoint) -> None:
        self._points = [*self._points, point][-MOST_PARITY_POINTS:]

    @answered
    @step
    def all(self) -> list[ParityPoint]:
        return list(self._points)


class FakeServedBook(Fake):
    """Implements :class:`~schedules_pipeline.ports.served.ServedBook`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._switches: list[Served] = []

    @answered
    @step
    def current(self) -> Served:
        return self._switches[0] if self._switches else NEVER_SWITCHED

    @answered
    @step
    def switches(self) -> list[Served]:
        return list(self._switches)

    @answered
    @step
    def change(self, to: Served) -> bool:
        if self._switches[:1] == [to]:
            return True
        if len(self._switches) != to.number - 1:
            return False
        self._switches.insert(0, to)
        return True


class FakeDeliveryPulses(Fake):
    """Implements :class:`~schedules_pipeline.ports.pulses.DeliveryPulses`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._pulses: dict[DeliveryProcess, datetime] = {}

    @answered
    @step
    def beat(self, process: DeliveryProcess, now: datetime) -> None:
        self._pulses[process] = now

    @answered
    @step
    def all(self) -> dict[DeliveryProcess, datetime]:
        return dict(self._pulses)


class FakeSubscriptionBook(Fake):
    """Implements :class:`~schedules_pipeline.ports.subscriptions.SubscriptionBook`; also for several threads."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self._standings: dict[str, Standing] = {}
        self._leases: dict[str, tuple[int, datetime]] = {}
        self._token = 0
        self._lock = Lock()

    @answered
    @step
    def create(self, subscription: Subscription, progress: Progress) -> bool:
        known = self._standings.setdefault(subscription.name, Standing(subscription, progress))
        return known.subscription == subscription

    @answered
    @step
    def remove(self, name: str) -> bool:
        self._leases.pop(name, None)
        return self._standings.pop(name, None) is not None

    @answered
    @step
    def all(self) -> list[Standing]:
        return [self._standings[name] for name in sorted(self._standings)]

    @answered
    @step
    def one(self, name: str) -> Standing | None:
        return self._standings.get(name)

    @answered
    @step
    def take(self, name: str, now: datetime, lease_for: timedelta) -> Lease | None:
        if self._is_held(name, now):
            return None
        return self._taken(name, now + lease_for)

    @answered
    @step
    def seize(self, name: str, now: datetime, lease_for: timedelta) -> Lease | None:
        return self._taken(name, now + lease_for)

    @answered
    @step
    def keep(
        self, lease: Lease, progress: Progress, until: datetime, subscription: Subscription | None = None
    ) -> bool:
        with self._lock:
            if not self._is_latest(lease):
                return False
            known = self._standings[lease.name]
            self._standings[lease.name] = Standing(subscription or known.subscription, progress)
            self._leases[lease.name] = lease.token, until
            return True

    def _taken(self, name: str, until: datetime) -> Lease | None:
        with self._lock:
            if name not in self._standings:
                return None
            self._token += 1
            self._leases[name] = self._token, until
            return Lease(self._token, self._standings[name])

    def _is_held(self, name: str, now: datetime) -> bool:
        return name in self._leases and self._leases[name][1] > now

    def _is_latest(self, lease: Lease) -> bool:
        return lease.name in self._leases and self._leases[lease.name][0] == lease.token


class FakePartnerBook(Fake):
    """Implements :class:`~schedules_pipeline.ports.partners.PartnerBook`; every record reads back."""

    def __init__(self, conditions: Conditions, clock: FakeClock) -> None:
        super().__init__(conditions)
        self._clock = clock
        self._partners: dict[str, Partner] = {}
        self._was_ever_used = False
        self._totals: Counter[UsageLine] = Counter()
        self._days: dict[date, tuple[datetime, Counter[UsageLine]]] = {}

    @answered
    @step
    def all(self) -> list[Partner]:
        return [partner for _, partner in sorted(self._partners.items())]

    def unreadable(self) -> list[str]:
        return []

    @answered
    @step
    def was_ever_used(self) -> bool:
        return self._was_ever_used

    @answered
    @step
    def one(self, name: str) -> Partner | None:
        return self._partners.get(name)

    @answered
    @step
    def create(self, partner: Partner) -> bool:
        self._was_ever_used = True
        return self._partners.setdefault(partner.name, partner) == partner

    @answered
    @step
    def change(self, before: Partner, after: Partner) -> bool:
        if self._partners.get(before.name) not in (before, after):
            return False
        self._partners[before.name] = after
        return True

    @answered
    def remove(self, name: str) -> bool:
        removed = self._remove_one(name)
        self._forget_totals(name)
        return removed

    @answered
    def add_usage(self, day: date, counts: UsageCounts) -> None:
        for line, count in counts.items():
            self._count_one(day, line, count)

    @answered
    @step
    def usage(self, day: date) -> dict[UsageLine, int]:
        expires_at, counts = self._days.get(day, (self._clock(), Counter[UsageLine]()))
        return dict(counts) if self._clock() < expires_at else {}

    @answered
    @step
    def usage_totals(self) -> dict[UsageLine, int]:
        return dict(self._totals)

    @step
    def _remove_one(self, name: str) -> bool:
        return self._partners.pop(name, None) is not None

    @step
    def _forget_totals(self, name: str) -> None:
        for line in [line for line in self._totals if line.partner == name]:
            del self._totals[line]

    @step
    def _count_one(self, day: date, line: UsageLine, count: int) -> None:
        expires_at = self._clock() + timedelta(days=USAGE_KEPT_DAYS)
        counts = self._days[day][1] if day in self._days else Counter[UsageLine]()
        counts[line] += count
        self._days[day] = expires_at, counts
        self._totals[line] += count


class FakeScheduleSource(Fake):
    """Implements :class:`~schedules_pipeline.ports.upstream.ScheduleSource`; ``put_id`` counts the puts."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self.objects: dict[ScheduleKey, SourceObject] = {}
        self._puts = 0

    def put(self, key: ScheduleKey, content: bytes) -> None:
        self._puts += 1
        self.objects[key] = SourceObject(content, f"put {self._puts}")

    def remove(self, key: ScheduleKey) -> None:
        self.objects.pop(key, None)

    def list_keys(self) -> Iterator[ScheduleKey]:
        self.conditions.checkpoint("list_keys")
        yield from sorted(self.objects)

    @answered
    def fetch(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, SourceObject | Exception | None]:
        found = {key: self._fetch_or_error(key) for key in self.in_any_order(keys)}
        return {key: found[key] for key in keys}

    def _fetch_or_error(self, key: ScheduleKey) -> SourceObject | Exception | None:
        try:
            return self._fetch_one(key)
        except ServiceError as error:
            return error

    @step
    def _fetch_one(self, key: ScheduleKey) -> SourceObject | None:
        return self.objects.get(key)


class FakeLegacyKeyspace(Fake):
    """Implements :class:`~schedules_pipeline.ports.upstream.LegacyKeyspace`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self.documents: dict[ScheduleKey, bytes] = {}
        self.refreshed = ""

    @answered
    @step
    def read(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, bytes]:
        return {key: self.documents[key] for key in keys if key in self.documents}

    def list_keys(self) -> Iterator[ScheduleKey]:
        self.conditions.checkpoint("list_keys")
        yield from sorted(self.documents)

    @answered
    @step
    def refreshed_at(self) -> str:
        return self.refreshed


@dataclass(slots=True)
class _Sent:
    message_id: str
    body: str
    sent_at: datetime
    visible_at: datetime
    deliveries: int = 0


class FakeQueue(Fake):
    """Implements :class:`~schedules_pipeline.ports.upstream.NotificationQueue`, with a dead-letter queue.

    A received message comes again after a minute by the clock, unless it is deleted; one that was received
    five times is dead. ``random`` shuffles, so nobody may rely on an order.
    """

    def __init__(self, conditions: Conditions, clock: FakeClock, random: Random, name: str) -> None:
        super().__init__(conditions)
        self.dead: list[str] = []
        self._clock = clock
        self._random = random
        self._name = name
        self._sent: dict[str, _Sent] = {}
        self._count = 0

    def post(self, body: str, delay: timedelta = timedelta(0)) -> None:
        """What the outside does; arrives after the delay."""
        self._count += 1
        message_id, now = f"{self._name}-{self._count}", self._clock()
        self._sent[message_id] = _Sent(message_id, body, now, now + delay)

    def redrive(self) -> None:
        """What an operator does with the dead letters: they are sent again."""
        bodies, self.dead = self.dead, []
        for body in bodies:
            self.post(body)

    def has_visible(self) -> bool:
        """Whether there is something to receive, or to bury, now; touches nothing."""
        return bool(self._visible())

    def is_empty(self) -> bool:
        """Whether nothing was sent that is not deleted or dead; touches nothing."""
        return not self._sent

    @answered
    @step
    def receive(self, wait_seconds: int) -> list[Message]:
        """Never waits: the clock does not move by itself."""
        self._bury()
        visible = self._visible()
        self._random.shuffle(visible)
        return [self._deliver(sent) for sent in visible[: self._random.randint(1, MOST_MESSAGES)]]

    @answered
    def delete(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._delete_one(message)

    @answered
    @step
    def show_again(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if message.message_id in self._sent:
                self._sent[message.message_id].visible_at = self._clock()

    @answered
    def send(self, bodies: Sequence[str]) -> None:
        for body in bodies:
            self._send_one(body)

    @answered
    @step
    def purge(self) -> None:
        self._sent.clear()

    @answered
    @step
    def depth(self) -> QueueDepth:
        self._bury()
        waiting = len(self._visible())
        return QueueDepth(waiting, len(self._sent) - waiting)

    @step
    def _send_one(self, body: str) -> None:
        self.post(body)

    @step
    def _delete_one(self, message: Message) -> None:
        sent = self._sent.get(message.message_id)
        if sent is not None and message.receipt == _receipt(sent):
            del self._sent[message.message_id]

    def _visible(self) -> list[_Sent]:
        now = self._clock()
        return [sent for sent in self._sent.values() if sent.visible_at <= now]

    def _deliver(self, sent: _Sent) -> Message:
        sent.deliveries += 1
        sent.visible_at = self._clock() + VISIBLE_AGAIN_AFTER
        return Message(sent.message_id, sent.body, sent.sent_at, _receipt(sent), sent.deliveries)

    def _bury(self) -> None:
        for sent in self._visible():
            if sent.deliveries >= MOST_RECEIVES:
                self.dead.append(sent.body)
                del self._sent[sent.message_id]


def _receipt(sent: _Sent) -> str:
    return f"{sent.message_id} for the {sent.deliveries}. time"


# Together


@dataclass(frozen=True, slots=True)
class FakeStore:
    """The fakes of one store, each by its own type; :meth:`as_store` gives them as what they stand for."""

    schedules: FakeScheduleStore
    copies: FakeCopyStore
    references: FakeReferenceIndex
    work: FakeWorkQueue
    feed: FakeChangeFeed
    refused: FakeRefusedInput
    comparisons: FakeComparisons
    counters: FakeCounters
    presence: FakePublisherPresence
    passes: FakePassLog
    history: FakeVersionHistory
    coldstarts: FakeColdstartBook
    parity_trend: FakeParityTrend
    served: FakeServedBook
    intake: FakeIntakeNotes
    failing_checks: FakeFailingChecks
    alarms: FakeAlarmBook
    partners: FakePartnerBook
    subscriptions: FakeSubscriptionBook
    pulses: FakeDeliveryPulses

    def as_store(self) -> Store:
        return Store(
            self.schedules,
            self.copies,
            self.references,
            self.work,
            self.feed,
            self.refused,
            self.comparisons,
            self.counters,
            self.presence,
            self.passes,
            self.history,
            self.coldstarts,
            self.parity_trend,
            self.served,
            self.intake,
            self.failing_checks,
            self.alarms,
            self.partners,
            self.subscriptions,
            self.pulses,
        )


@dataclass(frozen=True, slots=True)
class FakeUpstreams:
    """The fakes of all upstreams, each by its own type."""

    schedule_source: FakeScheduleSource
    catalogue_source: FakeCatalogueSource
    schedule_queue: FakeQueue
    catalogue_queue: FakeQueue
    legacy: FakeLegacyKeyspace
    schedule_dead_letters: FakeQueue
    catalogue_dead_letters: FakeQueue

    def as_upstreams(self) -> Upstreams:
        return Upstreams(
            self.schedule_source,
            self.catalogue_source,
            self.schedule_queue,
            self.catalogue_queue,
            self.legacy,
            self.schedule_dead_letters,
            self.catalogue_dead_letters,
        )


def fake_store(clock: FakeClock, conditions: Conditions | None = None) -> FakeStore:
    """An empty store."""
    conditions = conditions or Conditions()
    references = FakeReferenceIndex(conditions)
    schedules = FakeScheduleStore(conditions)
    return FakeStore(
        schedules,
        FakeCopyStore(conditions, references, clock),
        references,
        FakeWorkQueue(conditions),
        FakeChangeFeed(conditions, clock),
        FakeRefusedInput(conditions),
        FakeComparisons(conditions),
        FakeCounters(conditions),
        FakePublisherPresence(conditions, clock),
        FakePassLog(conditions),
        FakeVersionHistory(conditions, schedules),
        FakeColdstartBook(conditions, clock),
        FakeParityTrend(conditions),
        FakeServedBook(conditions),
        FakeIntakeNotes(conditions),
        FakeFailingChecks(conditions),
        FakeAlarmBook(conditions),
        FakePartnerBook(conditions, clock),
        FakeSubscriptionBook(conditions),
        FakeDeliveryPulses(conditions),
    )


def fake_upstreams(clock: FakeClock, random: Random, conditions: Conditions | None = None) -> FakeUpstreams:
    """Empty sources and queues."""
    conditions = conditions or Conditions()
    return FakeUpstreams(
        FakeScheduleSource(conditions),
        FakeCatalogueSource(conditions),
        FakeQueue(conditions, clock, random, "schedule"),
        FakeQueue(conditions, clock, random, "catalogue"),
        FakeLegacyKeyspace(conditions),
        FakeQueue(conditions, clock, random, "dead schedule"),
        FakeQueue(conditions, clock, random, "dead catalogue"),
    )


def pipeline_over(
    store: Store,
    upstreams: FakeUpstreams,
    clock: FakeClock,
    horizon: RetentionHorizon = KEEPS_EVERYTHING,
    kept_for: KeptFor = KeptFor(),  # noqa: B008 - frozen
) -> Pipeline:
    """The real workflows; a document with less than half of what it replaces is refused. No lease is renewed,
    and to wait is to turn the clock.
    """
    calendar = BroadcastCalendar(ZoneInfo("Europe/London"), ("*radio*",))
    return Pipeline(
        store,
        upstreams.as_upstreams(),
        calendar,
        clock,
        Rules(horizon=horizon, kept_for=kept_for, purge_settles_for=timedelta(seconds=60)),
        wait=lambda seconds: clock.advance(timedelta(seconds=seconds)),
        beating=lambda beat: nullcontext(),
    )
