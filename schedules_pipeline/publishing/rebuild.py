"""Rebuilds a claimed batch of schedules and publishes those that changed.

The order of the steps is the protocol's (docs/adr/0003): read the committed states; fetch the sources that changed;
register, then read the catalogue copies; join; commit unless another build has committed; announce; unregister.
The caller then releases the claim. If a worker dies between two steps, its lease expires and the next build repeats
them without harm.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from schedules_pipeline.documents.accepted_schedule import (
    AcceptedSchedule,
    NoSource,
    UndecodableSource,
    parse_accepted,
    render_accepted,
)
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
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.publishing.counting import Tally, counted
from schedules_pipeline.publishing.follow_catalogue import CatalogueFollower
from schedules_pipeline.publishing.judge_source import Accepted, Judgement, Rejected, Removed, judge_source
from schedules_pipeline.publishing.policy import PublishingPolicy
from schedules_pipeline.publishing.ports import PublishingSources, PublishingStore
from schedules_pipeline.publishing.ports.counters import Counter, Timer
from schedules_pipeline.publishing.ports.schedules import Commit, CommitResult, Outcome, ScheduleState
from schedules_pipeline.publishing.ports.upstream import SourceObject
from schedules_pipeline.publishing.ports.work import Claim, Work
from schedules_pipeline.publishing.resolve_programmes import Need, ProgrammeResolver, ResolvedBatch

_COUNTERS = {
    Outcome.PUBLISHED: Counter.SCHEDULES_PUBLISHED,
    Outcome.UNCHANGED: Counter.SCHEDULES_UNCHANGED,
    Outcome.SUPERSEDED: Counter.SCHEDULES_SUPERSEDED,
}


@dataclass(frozen=True, slots=True)
class BuildResult:
    """The outcome of one build. ``change`` is the row that it appends to the feed if it is published; its etag is "" if
    partners see no schedule. ``seq``: of the latest version.
    """

    outcome: Outcome
    seq: int
    change: Change

    @property
    def key(self) -> ScheduleKey:
        return self.change.key


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The outcome of a batch. ``failed`` holds the schedules that could not be fetched or built, with the error;
    all others are in ``built``.
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


def tally_batch(batch: BatchResult, now: datetime) -> Tally:
    """Count the outcomes, and how long the published schedules waited since the oldest notification of each.

    The wait is 0 if the queue's clock is ahead of the publisher's.
    """
    waits = defaultdict(list)
    for built in batch.built:
        if built.change.causes and built.outcome is Outcome.PUBLISHED:
            oldest = min(built.change.causes, key=lambda cause: cause.notified_at)
            waits[Timer.published_after(oldest.origin)].append(
                max(0.0, (now - oldest.notified_at).total_seconds())
            )
    return Tally({counter: batch.count(outcome) for outcome, counter in _COUNTERS.items()}, waits)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A schedule to build, with its committed state and the source to build it from.

    ``ends_rejection``: the source had a rejected document, and this build replaces or removes it.
    """

    work: Work
    state: ScheduleState
    committed: AcceptedSchedule | NoSource
    source: AcceptedSchedule | NoSource
    source_is_new: bool = False
    ends_rejection: bool = False

    @property
    def key(self) -> ScheduleKey:
        return self.work.key

    def judged(self, judgement: Judgement, *, was_rejected: bool) -> "_Draft":
        """The draft after its source was fetched. Raises :class:`InvalidRecord` if the document is rejected and
        the committed source cannot be decoded: the publisher must not replace a schedule by nothing.
        """
        match judgement:
            case Accepted(schedule):
                return replace(self, source=schedule, source_is_new=True, ends_rejection=was_rejected)
            case Removed():
                is_new = self.state.accepted is not None
                return replace(self, source=NoSource(), source_is_new=is_new, ends_rejection=was_rejected)
            case Rejected() if isinstance(self.committed, UndecodableSource):
                raise InvalidRecord(
                    f"schedule {self.key}: the accepted source cannot be decoded and the document in the bucket "
                    "is rejected: put a valid document"
                )
            case Rejected():
                return self

    def need(self, *, trust_index: bool) -> Need:
        """``trust_index``: the index has every entry of the committed state, so only new entries are registered."""
        if not trust_index:
            return Need(self.source.episodes(), self.source.shown(), frozenset())
        if not self.source_is_new:
            return Need(self.source.episodes(), (), self.state.ancestors)
        registered = frozenset(self.committed.shown())
        fresh = [mention for mention in self.source.shown() if mention not in registered]
        return Need(self.source.episodes(), fresh, self.state.ancestors)

    def obsolete(self, ancestors: frozenset[Pid]) -> Dependencies:
        """The index entries that the committed state needed and a build with these ancestors does not."""
        if not self.source_is_new and ancestors == self.state.ancestors:
            return frozenset()
        needed = dependencies(self.source.shown(), ancestors)
        return dependencies(self.committed.shown(), self.state.ancestors) - needed


class _Content(NamedTuple):
    """The broadcasts of a document, and their etag; both empty if partners see no schedule."""

    text: bytes = b""
    etag: str = ""


@dataclass(frozen=True, slots=True)
class _Round:
    """What the commits of one round share. ``seconds``: how long the batch has taken until now."""

    token: int
    at: datetime
    seconds: float
    recorded_by: str

    def commit(self, draft: _Draft, ancestors: frozenset[Pid], content: _Content) -> Commit:
        seq, source = draft.state.seq + 1, draft.source
        accepted, document = b"", b""
        if isinstance(source, AcceptedSchedule):
            accepted = render_accepted(source) if draft.source_is_new else b""
            document = render_document(draft.key, Publication(seq, self.at, content.etag), content.text)
        return Commit(
            key=draft.key,
            token=self.token,
            read_token=draft.state.committed_token,
            seen_mark=draft.state.source_mark,
            accepted=accepted,
            accepted_is_new=draft.source_is_new,
            ancestors=ancestors,
            etag=content.etag,
            document=document,
            change=self._change(draft, seq, content),
        )

    def _change(self, draft: _Draft, seq: int, content: _Content) -> Change:
        return Change(
            key=draft.key,
            seq=seq,
            etag=content.etag,
            published_at=self.at,
            broadcasts=len(draft.source.slots),
            content_bytes=len(content.text),
            source_changed=draft.source_is_new,
            build_milliseconds=round(self.seconds * 1000, 1),
            causes=draft.work.causes,
            cause_count=draft.work.cause_count,
            recorded_by=self.recorded_by,
        )


class Rebuilder:
    def __init__(
        self,
        store: PublishingStore,
        sources: PublishingSources,
        follower: CatalogueFollower,
        clock: Clock,
        policy: PublishingPolicy,
    ) -> None:
        self.store = store
        self.clock = clock
        self._sources = sources
        self._follower = follower
        self._policy = policy

    @counted(Counter.BATCHES_FAILED, Timer.BATCH, tally_batch)
    def build(
        self, claim: Claim, *, refresh_cause: Cause | None = None, recorded_by: str = ""
    ) -> BatchResult:
        """Build and publish the claimed schedules; the caller releases or postpones the claim.

        ``refresh_cause``: trust neither the index nor the catalogue copies, but register everything again and
        compare the copies with their sources first. ``recorded_by``: the Dagster run that records the results.
        """
        began = time.perf_counter()
        built: list[BuildResult] = []
        failed: dict[ScheduleKey, Exception] = {}
        pending: Sequence[Work] = claim.work
        while pending:
            drafts, unfetched = self._gather(pending)
            failed |= unfetched
            resolver = ProgrammeResolver(self.store, self._follower, claim.token, refresh_cause)
            resolved = resolver.resolve({d.key: d.need(trust_index=refresh_cause is None) for d in drafts})
            contents = _join(drafts, resolved)
            this = _Round(claim.token, self.clock(), time.perf_counter() - began, recorded_by)
            commits = [this.commit(d, resolved.ancestors[d.key], contents[d.key]) for d in drafts]
            results = self._commit(drafts, commits, claim.token)
            built += [result for result in results if result.outcome is not Outcome.MOVED]
            moved = {result.key for result in results if result.outcome is Outcome.MOVED}
            pending = [work for work in pending if work.key in moved]
        return BatchResult(built, failed, time.perf_counter() - began)

    # Gather

    def _gather(self, pending: Sequence[Work]) -> tuple[list[_Draft], dict[ScheduleKey, Exception]]:
        """Read the committed states, and the sources that changed since or that an older release accepted. Returns
        the failed fetches too.
        """
        states = self.store.schedules.read([work.key for work in pending])
        drafts = [_draft(work, states[work.key]) for work in pending]
        stale = [draft for draft in drafts if draft.state.must_fetch or draft.committed.is_outdated]
        fetched, failed = self._fetch_and_judge(stale) if stale else ({}, {})
        return [fetched.get(draft.key, draft) for draft in drafts if draft.key not in failed], failed

    def _fetch_and_judge(
        self, drafts: Sequence[_Draft]
    ) -> tuple[dict[ScheduleKey, _Draft], dict[ScheduleKey, Exception]]:
        """Drafts of rejected documents keep the source that was accepted last."""
        found = self._fetch([draft.key for draft in drafts])
        earlier = self.store.rejections.find([str(draft.key) for draft in drafts])
        failed = {}
        judgements: dict[ScheduleKey, Judgement] = {}
        for draft in drafts:
            key, source = draft.key, found[draft.key]
            if isinstance(source, Exception):
                failed[key] = source
            else:
                judgements[key] = judge_source(
                    key,
                    source,
                    len(draft.committed.slots),
                    earlier.get(str(key)),
                    self._policy,
                    self.clock(),
                )
        self._keep_rejections(judgements)
        judged = {
            draft.key: draft.judged(judgements[draft.key], was_rejected=str(draft.key) in earlier)
            for draft in drafts
            if draft.key in judgements
        }
        return judged, failed

    def _fetch(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, SourceObject | Exception | None]:
        """Fetch the documents; a schedule past the horizon counts as removed."""
        now = self.clock()
        kept = [key for key in keys if self._policy.horizon.keeps(key.date, now)]
        return {**dict.fromkeys(keys), **(self._sources.schedule_source.fetch(kept) if kept else {})}

    def _keep_rejections(self, judgements: Mapping[ScheduleKey, Judgement]) -> None:
        rejections = {str(key): j.rejection for key, j in judgements.items() if isinstance(j, Rejected)}
        if rejections:
            self.store.rejections.keep(rejections)
            self.store.counters.add({Counter.SCHEDULE_DOCUMENTS_REJECTED: len(rejections)})

    # Apply

    def _commit(self, drafts: Sequence[_Draft], commits: Sequence[Commit], token: int) -> list[BuildResult]:
        results = self.store.schedules.commit(commits)
        self._announce(zip(commits, results, strict=True))
        committed = [
            (draft, commit)
            for draft, commit, result in zip(drafts, commits, results, strict=True)
            if result.outcome in (Outcome.PUBLISHED, Outcome.UNCHANGED)
        ]
        # Only after the commit: until then a second identical document must find the rejection that it confirms.
        self.store.rejections.forget([str(draft.key) for draft, _ in committed if draft.ends_rejection])
        self._unregister(committed, token)
        return [
            BuildResult(result.outcome, result.seq, commit.change)
            for commit, result in zip(commits, results, strict=True)
        ]

    def _announce(self, results: Iterable[tuple[Commit, CommitResult]]) -> None:
        """Append the rows that the feed may lack, including those that a dead worker left in an outbox."""
        rows = [(commit.key, seq, row) for commit, result in results for seq, row in result.announcements]
        self.store.feed.append(rows)
        self.store.schedules.confirm_announced({key: seq for key, seq, _ in rows})

    def _unregister(self, committed: Iterable[tuple[_Draft, Commit]], token: int) -> None:
        """Only after the commit, and only entries that no later build has registered anew."""
        obsolete = {
            draft.key: entries for draft, commit in committed if (entries := draft.obsolete(commit.ancestors))
        }
        self.store.references.unregister(obsolete, token)


def _join(drafts: Iterable[_Draft], resolved: ResolvedBatch) -> dict[ScheduleKey, _Content]:
    """Join every source to its programmes; the batch renders each programme once."""
    texts = render_programmes(resolved.programmes)
    contents = dict.fromkeys([draft.key for draft in drafts], _Content())
    for draft in drafts:
        source = draft.source
        if isinstance(source, AcceptedSchedule):
            text = fill(source.slots, map(texts.__getitem__, source.episode_pids))
            contents[draft.key] = _Content(text, hash_content(text))
    return contents


def _draft(work: Work, state: ScheduleState) -> _Draft:
    committed = _committed_source(state)
    return _Draft(work, state, committed, committed)


def _committed_source(state: ScheduleState) -> AcceptedSchedule | NoSource:
    """Raises :class:`InvalidRecord` if it cannot be decoded and the source is not going to be fetched."""
    if state.accepted is None:
        return NoSource()
    try:
        return parse_accepted(state.accepted)
    except InvalidRecord:
        if not state.must_fetch:
            raise
        return UndecodableSource()
