"""Rebuilds a claimed batch of schedules and publishes those that changed.

The order of the steps is the protocol's (docs/adr/0003): read the committed states; fetch the sources that changed;
register, then read the catalogue copies; join; commit unless another build has committed; announce; unregister.
The caller then releases the claim. If a worker dies between two steps, its lease expires and the next build repeats
them without harm.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from schedules_pipeline.documents.accepted_schedule import AcceptedSchedule
from schedules_pipeline.documents.partner_document import fill, hash_content, render_programmes
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.counting import Tally, counted
from schedules_pipeline.publishing.draft import Content, Draft, Round, draft_of, situation_of
from schedules_pipeline.publishing.follow_catalogue import CatalogueFollower
from schedules_pipeline.publishing.judge_source import (
    PAST_THE_HORIZON,
    Held,
    Judgement,
    Rejected,
    Situation,
    SourceJudge,
)
from schedules_pipeline.publishing.loss_valve import LossValve
from schedules_pipeline.publishing.policy import PublishingPolicy
from schedules_pipeline.publishing.ports import PublishingSources, PublishingStore
from schedules_pipeline.publishing.ports.counters import Counter, Timer
from schedules_pipeline.publishing.ports.losses import NO_STANDING
from schedules_pipeline.publishing.ports.schedules import Commit, CommitResult, Outcome
from schedules_pipeline.publishing.ports.work import Claim, Mark, Work
from schedules_pipeline.publishing.resolve_programmes import ProgrammeResolver, ResolvedBatch
from schedules_pipeline.publishing.urgency import due_at

_STAGES = ("gather", "resolve", "commit")
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
    all others are in ``built``. ``stages``: the end of each stage, in seconds since the batch began.
    """

    built: Sequence[BuildResult]
    failed: Mapping[ScheduleKey, Exception]
    seconds: float
    stages: Sequence[tuple[str, float]] = ()

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
            oldest = min(built.change.causes, key=attrgetter("notified_at"))
            waits[oldest.origin].append(max(0.0, (now - oldest.notified_at).total_seconds()))
    return Tally(
        {counter: batch.count(outcome) for outcome, counter in _COUNTERS.items()},
        {Timer.published_after(origin): seconds for origin, seconds in waits.items()},
    )


class Rebuilder:
    def __init__(
        self,
        store: PublishingStore,
        sources: PublishingSources,
        follower: CatalogueFollower,
        calendar: BroadcastCalendar,
        clock: Clock,
        policy: PublishingPolicy,
    ) -> None:
        self.store = store
        self.clock = clock
        self._sources = sources
        self._follower = follower
        self._calendar = calendar
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
        ends: list[tuple[str, float]] = []
        while pending:
            drafts, unfetched = self._gather(pending)
            failed |= unfetched
            gathered_at = time.perf_counter()
            drafts, resolved = self._resolve(drafts, claim.token, refresh_cause)
            resolved_at = time.perf_counter()
            this = Round(claim.token, self.clock(), time.perf_counter() - began, recorded_by)
            results = self._commit(drafts, this, resolved)
            ends += zip(_STAGES, (gathered_at, resolved_at, time.perf_counter()), strict=True)
            built += [result for result in results if result.outcome is not Outcome.MOVED]
            moved = {result.key for result in results if result.outcome is Outcome.MOVED}
            pending = [work for work in pending if work.key in moved]
        stages = [(name, at - began) for name, at in ends]
        return BatchResult(built, failed, time.perf_counter() - began, stages)

    def _resolve(
        self, drafts: list[Draft], token: int, refresh_cause: Cause | None
    ) -> tuple[list[Draft], ResolvedBatch]:
        """Resolve the programmes, and hold back what would lose too much airtime."""
        resolved = self._resolve_programmes(drafts, token, refresh_cause)
        valve = LossValve(self.store, self._policy.losses, self.clock())
        held = valve.hold_back(drafts, lambda pid: bool(resolved.programmes[pid].items))
        if not held:
            return drafts, resolved
        drafts = [draft.held(held[draft.key]) if draft.key in held else draft for draft in drafts]
        again = self._resolve_programmes([d for d in drafts if d.key in held], token, refresh_cause)
        programmes = {**resolved.programmes, **again.programmes}
        return drafts, ResolvedBatch(programmes, {**resolved.ancestors, **again.ancestors})

    def _resolve_programmes(
        self, drafts: Sequence[Draft], token: int, refresh_cause: Cause | None
    ) -> ResolvedBatch:
        resolver = ProgrammeResolver(self.store, self._follower, token, refresh_cause)
        return resolver.resolve({d.key: d.need(trust_index=refresh_cause is None) for d in drafts})

    # Gather

    def _gather(self, pending: Sequence[Work]) -> tuple[list[Draft], dict[ScheduleKey, Exception]]:
        """Read the committed states, and the sources that changed since or that an older release accepted. Returns
        the failed fetches too.
        """
        states = self.store.schedules.read([work.key for work in pending])
        drafts = [draft_of(work, states[work.key]) for work in pending]
        stale = [draft for draft in drafts if draft.state.must_fetch or draft.committed.is_outdated]
        fetched, failed = self._fetch_and_judge(stale) if stale else ({}, {})
        return [fetched.get(draft.key, draft) for draft in drafts if draft.key not in failed], failed

    def _fetch_and_judge(
        self, drafts: Sequence[Draft]
    ) -> tuple[dict[ScheduleKey, Draft], dict[ScheduleKey, Exception]]:
        """Drafts of rejected and held documents keep the source that was accepted last."""
        keys = [draft.key for draft in drafts]
        kept = self._policy.horizon.select(keys, self.clock())
        found = self._sources.schedule_source.fetch(kept) if kept else {}
        failed = {key: source for key, source in found.items() if isinstance(source, Exception)}
        sources = {key: source for key, source in found.items() if not isinstance(source, Exception)}
        fetched = [draft.with_decodable_source() for draft in drafts if draft.key not in failed]
        situations = self._situations(fetched)
        judge = SourceJudge(self._policy.losses, self.clock())
        judgements = {
            key: judge.judge(situation, sources[key]) if key in sources else PAST_THE_HORIZON
            for key, situation in situations.items()
        }
        rejected = self.store.rejections.find([str(draft.key) for draft in fetched])
        self._keep_rejections(judgements)
        judged = {
            draft.key: draft.judged(
                situations[draft.key], judgements[draft.key], was_rejected=str(draft.key) in rejected
            )
            for draft in fetched
        }
        return judged, failed

    def _situations(self, drafts: Sequence[Draft]) -> dict[ScheduleKey, Situation]:
        standings = self.store.losses.find([draft.key for draft in drafts])
        return {
            draft.key: situation_of(
                draft.state,
                draft.committed,
                self._calendar.window(draft.key),
                standings.get(draft.key, NO_STANDING),
            )
            for draft in drafts
        }

    def _keep_rejections(self, judgements: Mapping[ScheduleKey, Judgement]) -> None:
        rejections = {str(key): j.rejection for key, j in judgements.items() if isinstance(j, Rejected)}
        if rejections:
            self.store.rejections.keep(rejections)
            self.store.counters.add({Counter.SCHEDULE_DOCUMENTS_REJECTED: len(rejections)})

    # Apply

    def _commit(self, drafts: Sequence[Draft], this: Round, resolved: ResolvedBatch) -> list[BuildResult]:
        self._settle_records([draft for draft in drafts if draft.judgement is not None])
        changes: list[Change] = []
        results = self.store.schedules.commit(_make(drafts, this, resolved, changes))
        by_outcome: dict[Outcome, list[Draft]] = defaultdict(list)
        for draft, result in zip(drafts, results, strict=True):
            by_outcome[result.outcome].append(draft)
        self._judge_again(by_outcome[Outcome.MOVED], by_outcome[Outcome.SUPERSEDED])
        self._announce(zip(drafts, results, strict=True))
        committed = [*by_outcome[Outcome.PUBLISHED], *by_outcome[Outcome.UNCHANGED]]
        self._record_losses(committed)
        self._unregister(committed, resolved, this.token)
        return [
            BuildResult(result.outcome, result.seq, change)
            for change, result in zip(changes, results, strict=True)
        ]

    def _settle_records(self, judged: Sequence[Draft]) -> None:
        """Before the commit: until then the documents count as unseen, so if this process dies, the next build judges
        them again. (A hold ends after the commit, because it decides what is accepted.)
        """
        self.store.rejections.forget([str(draft.key) for draft in judged if draft.ends_rejection])
        summaries = {draft.key: draft.quarantine_summary for draft in judged}
        self.store.quarantined_broadcasts.keep({key: text for key, text in summaries.items() if text})
        self.store.quarantined_broadcasts.forget([key for key, text in summaries.items() if not text])

    def _judge_again(self, moved: Iterable[Draft], superseded: Iterable[Draft]) -> None:
        """Another build may have judged a later document, and the records of these have replaced its own. A build that
        moved goes on by itself.
        """
        overtaken = [draft.key for draft in superseded if draft.judgement is not None]
        again = [*overtaken, *(draft.key for draft in moved if draft.judgement is not None)]
        self.store.schedules.count_source_change(again)
        now = self.clock()
        self.store.work.mark(
            [
                Mark(
                    key, due_at(key, now, self._calendar), Cause("overtaken", Origin.SCHEDULE, str(key), now)
                )
                for key in overtaken
            ]
        )

    def _record_losses(self, drafts: Sequence[Draft]) -> None:
        losses = self.store.losses
        held = {draft.key: draft.judgement.hold for draft in drafts if isinstance(draft.judgement, Held)}
        if held:
            losses.hold(held)
            self.store.counters.add({Counter.SCHEDULE_DOCUMENTS_HELD: len(held)})
        losses.end([draft.key for draft in drafts if draft.ends_hold])
        now = self.clock()
        losses.refund([draft.key for draft in drafts if draft.makes_whole(now)])
        losses.record_blanking(
            {draft.key: blanked for draft in drafts if (blanked := draft.newly_blanked(now))}, now
        )

    def _announce(self, results: Iterable[tuple[Draft, CommitResult]]) -> None:
        """Append the rows that the feed may lack, including those that a dead worker left in an outbox."""
        rows = [(draft.key, seq, row) for draft, result in results for seq, row in result.announcements]
        self.store.feed.append(rows)
        self.store.schedules.confirm_announced({key: seq for key, seq, _ in rows})

    def _unregister(self, committed: Iterable[Draft], resolved: ResolvedBatch, token: int) -> None:
        """Only after the commit, and only entries that no later build has registered anew."""
        obsolete = {
            draft.key: entries
            for draft in committed
            if (entries := draft.obsolete(resolved.ancestors[draft.key]))
        }
        self.store.references.unregister(obsolete, token)


def _make(
    drafts: Iterable[Draft], this: Round, resolved: ResolvedBatch, changes: list[Change]
) -> Iterator[Commit]:
    """Join every source to its programmes when the store asks for its commit, so that only a few documents are in
    memory at once. The batch renders each programme once. ``changes`` gets the row of each commit.
    """
    programmes = render_programmes(resolved.programmes)
    for draft in drafts:
        content = Content()
        if isinstance(draft.source, AcceptedSchedule):
            text = fill(draft.source.slots, map(programmes.__getitem__, draft.source.episode_pids))
            content = Content(text, hash_content(text))
        commit = this.commit(draft, resolved.ancestors[draft.key], content)
        changes.append(commit.change)
        yield commit
