"""Rebuilds a claimed batch of schedules and publishes what changed. The heart of the system.

The order of the steps is the protocol's (docs/adr/0003): read the state; fetch the source where it changed;
register, then read; join; commit where nobody has overtaken us; announce; unregister; release. Dying
between any two of them leaves a lease that expires, and building again is harmless.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from schedules_pipeline.documents.accepted_schedule import AcceptedSchedule, parse_accepted, render_accepted
from schedules_pipeline.documents.partner_document import (
    Publication,
    fill,
    hash_content,
    render_document,
    render_programmes,
)
from schedules_pipeline.domain.causes import Cause
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.dependencies import Dependencies, dependencies
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.publishing.count_failures import counting_failures
from schedules_pipeline.publishing.follow_catalogue import CatalogueFollower
from schedules_pipeline.publishing.judge_source import Accepted, Rejected, Removed, judge_source
from schedules_pipeline.publishing.policy import PublishingPolicy
from schedules_pipeline.publishing.ports import PublishingSources, PublishingStore
from schedules_pipeline.publishing.ports.schedules import (
    Commit,
    CommitResult,
    Outcome,
    ScheduleState,
)
from schedules_pipeline.publishing.ports.upstream import SourceObject
from schedules_pipeline.publishing.ports.work import Claim, Work
from schedules_pipeline.publishing.resolve_programmes import Needs, ProgrammeResolver, Programmes

NOTHING = AcceptedSchedule("", (), (), ())
"""Stands for the source of a schedule that has none."""

_UNREADABLE = AcceptedSchedule("", (), (), ())
"""Stands for an accepted source that does not read back, until what the source has now replaces it."""


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What became of one schedule, and why it was built: ``etag`` is "" where partners see nothing."""

    key: ScheduleKey
    outcome: Outcome
    seq: int
    etag: str
    content_bytes: int
    broadcasts: int
    causes: tuple[Cause, ...]
    cause_count: int


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of a batch. ``failed`` could not be fetched or built, with the error; all others are in
    ``built``.
    """

    built: Sequence[BuildResult]
    failed: Mapping[ScheduleKey, Exception]
    seconds: float

    def count(self, outcome: Outcome) -> int:
        return sum(built.outcome is outcome for built in self.built)

    def __add__(self, other: "BatchResult") -> "BatchResult":
        return BatchResult(
            [*self.built, *other.built], {**self.failed, **other.failed}, self.seconds + other.seconds
        )


EMPTY_BATCH = BatchResult((), {}, 0.0)


@dataclass(slots=True)
class _Draft:
    """One schedule while it is being built."""

    work: Work
    state: ScheduleState
    held: AcceptedSchedule
    accepted: AcceptedSchedule
    needs: Needs
    ends_rejection: bool = False
    content: bytes = b""
    etag: str = ""

    @property
    def is_shown(self) -> bool:
        return self.accepted is not NOTHING


class Rebuilder:
    def __init__(
        self,
        store: PublishingStore,
        sources: PublishingSources,
        follower: CatalogueFollower,
        clock: Clock,
        policy: PublishingPolicy,
    ) -> None:
        self._store = store
        self._sources = sources
        self._follower = follower
        self._clock = clock
        self._policy = policy

    def build(
        self, claim: Claim, *, refresh_cause: Cause | None = None, recorded_by: str = ""
    ) -> BatchResult:
        """Build and publish everything that was claimed; the caller releases or postpones it.

        ``refresh_cause``: also compare the catalogue copies that are used with their sources first.
        ``recorded_by``: the Dagster run that records the results itself.
        """
        with counting_failures(self._store.counters, "batches failed"):
            batch = self._build(claim, refresh_cause, recorded_by)
            self._count(batch, {work.key: work for work in claim.work})
        return batch

    def _build(self, claim: Claim, refresh_cause: Cause | None, recorded_by: str) -> BatchResult:
        began = time.perf_counter()
        built: list[BuildResult] = []
        failed: dict[ScheduleKey, Exception] = {}
        pending: Sequence[Work] = claim.work
        while pending:
            drafts, unfetched = self._gather(pending, everything=refresh_cause is not None)
            failed |= unfetched
            resolver = ProgrammeResolver(self._store, self._follower, claim.token, refresh_cause)
            _join(drafts, resolver.resolve({key: draft.needs for key, draft in drafts.items()}))
            elapsed = time.perf_counter() - began
            committed = self._commit(drafts.values(), claim.token, elapsed, recorded_by)
            built += [_built(drafts[key], result) for key, result in committed.items()]
            pending = [drafts[key].work for key, r in committed.items() if r.outcome is Outcome.MOVED]
        built = [b for b in built if b.outcome is not Outcome.MOVED]
        return BatchResult(built, failed, time.perf_counter() - began)

    def _count(self, batch: BatchResult, work: Mapping[ScheduleKey, Work]) -> None:
        """What came of the batch, how long it took, and for how long what was published had been waited for."""
        final = (Outcome.PUBLISHED, Outcome.UNCHANGED, Outcome.SUPERSEDED)
        published = [work[built.key] for built in batch.built if built.outcome is Outcome.PUBLISHED]
        durations = {**_seconds_since_notified(published, self._clock()), "batch": [batch.seconds]}
        self._store.counters.add(
            {f"schedules {outcome}": batch.count(outcome) for outcome in final}, durations
        )

    # Gather

    def _gather(
        self, pending: Sequence[Work], *, everything: bool
    ) -> tuple[dict[ScheduleKey, _Draft], dict[ScheduleKey, Exception]]:
        """Read the committed states, and the sources of those that have changed.

        ``everything``: trust nothing that is said to be registered, and register it again.
        """
        states = self._store.schedules.read([work.key for work in pending])
        drafts = {work.key: _draft(work, states[work.key], everything=everything) for work in pending}
        stale = [draft for draft in drafts.values() if draft.state.must_fetch]
        failed = self._take_in(stale, everything=everything)
        return {key: draft for key, draft in drafts.items() if key not in failed}, failed

    def _take_in(self, drafts: Sequence[_Draft], *, everything: bool) -> dict[ScheduleKey, Exception]:
        """Fetch and judge; what is refused leaves its draft as it is, built from what was accepted last."""
        if not drafts:
            return {}
        found = self._fetch([draft.work.key for draft in drafts])
        earlier = self._store.rejections.find([str(draft.work.key) for draft in drafts])
        rejections, failed = {}, {}
        for draft in drafts:
            key = draft.work.key
            source = found[key]
            if isinstance(source, Exception):
                failed[key] = source
                continue
            held, now = len(draft.held.slots), self._clock()
            match judge_source(key, source, held, earlier.get(str(key)), self._policy.smallest_share, now):
                case Rejected(rejection):
                    rejections[str(key)] = rejection
                case Removed():
                    _take(draft, NOTHING, everything=everything)
                case Accepted(schedule):
                    _take(draft, schedule, everything=everything)
            draft.ends_rejection = str(key) in earlier and str(key) not in rejections
        if rejections:
            self._store.rejections.keep(rejections)
            self._store.counters.add({"schedule documents refused": len(rejections)})
        _require_something([draft for draft in drafts if str(draft.work.key) in rejections])
        return failed

    def _fetch(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, SourceObject | Exception | None]:
        """What the source has of these, and nothing of those past the horizon: they are not to come back."""
        now = self._clock()
        kept = [key for key in keys if self._policy.horizon.keeps(key.date, now)]
        return {**dict.fromkeys(keys), **(self._sources.schedule_source.fetch(kept) if kept else {})}

    # Apply

    def _commit(
        self, drafts: Iterable[_Draft], token: int, elapsed: float, recorded_by: str
    ) -> dict[ScheduleKey, CommitResult]:
        drafts = list(drafts)
        now = self._clock()
        results = self._store.schedules.commit(
            [_commit(draft, token, now, elapsed, recorded_by) for draft in drafts]
        )
        by_key = {draft.work.key: result for draft, result in zip(drafts, results, strict=True)}
        self._announce(by_key)
        committed = [
            d for d in drafts if by_key[d.work.key].outcome in (Outcome.PUBLISHED, Outcome.UNCHANGED)
        ]
        # Not before the commit: a refusal is also what lets a second identical document confirm the first.
        self._store.rejections.forget([str(d.work.key) for d in committed if d.ends_rejection])
        self._unregister(committed, token)
        return by_key

    def _announce(self, results: Mapping[ScheduleKey, CommitResult]) -> None:
        """Append to the feed what it may lack, also what a worker that died left in an outbox."""
        rows = [(key, seq, row) for key, result in results.items() for seq, row in result.announcements]
        self._store.feed.append(rows)
        self._store.schedules.confirm_announced({key: seq for key, seq, _ in rows})

    def _unregister(self, drafts: Sequence[_Draft], token: int) -> None:
        """Only after the commit, and only entries that no later build has registered anew."""
        obsolete = {}
        for draft in drafts:
            if gone := _obsolete(draft):
                obsolete[draft.work.key] = gone
        self._store.references.unregister(obsolete, token)


def _seconds_since_notified(published: Sequence[Work], now: datetime) -> dict[str, list[float]]:
    """Of each schedule for its oldest cause; 0 where the queue's clock is ahead of ours."""
    seconds: dict[str, list[float]] = {}
    for work in published:
        if work.causes:
            oldest = min(work.causes, key=lambda cause: cause.notified_at)
            waited = max(0.0, (now - oldest.notified_at).total_seconds())
            seconds.setdefault(f"published after {oldest.origin}", []).append(waited)
    return seconds


def _draft(work: Work, state: ScheduleState, *, everything: bool) -> _Draft:
    held = _held(state)
    needs = Needs(
        episodes=held.episodes(),
        unregistered_shown=held.shown() if everything else (),
        registered_ancestors=frozenset() if everything else state.ancestors,
    )
    return _Draft(work, state, held, held, needs)


def _held(state: ScheduleState) -> AcceptedSchedule:
    """What was accepted last. Raises :class:`InvalidRecord` where that does not read back, unless the source is
    asked anyway.
    """
    if state.accepted is None:
        return NOTHING
    try:
        return parse_accepted(state.accepted)
    except InvalidRecord:
        if not state.must_fetch:
            raise
        return _UNREADABLE


def _require_something(rejected: Iterable[_Draft]) -> None:
    """Where nothing is held there is no last good to stay with, and partners must not lose what they have."""
    for draft in rejected:
        if draft.held is _UNREADABLE:
            raise InvalidRecord(
                f"schedule {draft.work.key}: what was accepted does not read back, and what the source has is "
                "refused: put a valid document"
            )


def _take(draft: _Draft, schedule: AcceptedSchedule, *, everything: bool) -> None:
    """Build from this source document instead of the one that is held."""
    registered = frozenset() if everything else frozenset(draft.held.shown())
    draft.accepted = schedule
    draft.needs.episodes = schedule.episodes()
    draft.needs.unregistered_shown = [m for m in schedule.shown() if m not in registered]


def _join(drafts: Mapping[ScheduleKey, _Draft], programmes: Programmes) -> None:
    """Compute every document; each programme is rendered once for the whole batch."""
    texts = render_programmes(programmes)
    for draft in drafts.values():
        if draft.is_shown:
            accepted = draft.accepted
            draft.content = fill(accepted.slots, map(texts.__getitem__, accepted.episode_pids))
            draft.etag = hash_content(draft.content)


def _commit(draft: _Draft, token: int, now: datetime, elapsed: float, recorded_by: str) -> Commit:
    work, state = draft.work, draft.state
    is_new = draft.accepted is not draft.held
    seq = state.seq + 1
    return Commit(
        key=work.key,
        token=token,
        read_token=state.committed_token,
        seen_mark=state.source_mark,
        accepted=render_accepted(draft.accepted) if is_new and draft.is_shown else b"",
        accepted_is_new=is_new,
        ancestors=draft.needs.ancestors,
        etag=draft.etag,
        document=_document(draft, Publication(seq, now, draft.etag)),
        change=Change(
            key=work.key,
            seq=seq,
            etag=draft.etag,
            published_at=now,
            broadcasts=len(draft.accepted.slots),
            content_bytes=len(draft.content),
            source_changed=is_new,
            build_milliseconds=round(elapsed * 1000, 1),
            causes=work.causes,
            cause_count=work.cause_count,
            recorded_by=recorded_by,
        ),
    )


def _document(draft: _Draft, publication: Publication) -> bytes:
    return render_document(draft.work.key, publication, draft.content) if draft.is_shown else b""


def _obsolete(draft: _Draft) -> Dependencies:
    if draft.accepted is draft.held and draft.needs.ancestors == draft.state.ancestors:
        return frozenset()
    return dependencies(draft.held.shown(), draft.state.ancestors) - dependencies(
        draft.accepted.shown(), draft.needs.ancestors
    )


def _built(draft: _Draft, result: CommitResult) -> BuildResult:
    return BuildResult(
        draft.work.key,
        result.outcome,
        result.seq,
        draft.etag,
        len(draft.content),
        len(draft.accepted.slots),
        draft.work.causes,
        draft.work.cause_count,
    )
