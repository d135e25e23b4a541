"""The safety valve: all losses of airtime draw on one budget, and a loss that does not fit is held.

A loss is airtime to come that partners would lose: a schedule that is removed, a document that covers less, or
broadcasts whose known episode becomes unknown. The valve works after the programmes are resolved and before anything
is committed. It judges the losses of a batch together, so an event that would empty a service lets nothing through
that the batch holds.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from schedules_pipeline.domain.airtime import length_within, to_come, union
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.schedule import Slot
from schedules_pipeline.publishing.draft import Draft
from schedules_pipeline.publishing.judge_source import (
    REMOVED,
    Held,
    Proposal,
    Situation,
    SourceJudge,
    waits_for_operator,
)
from schedules_pipeline.publishing.policy import LossPolicy
from schedules_pipeline.publishing.ports import PublishingStore
from schedules_pipeline.publishing.ports.losses import HoldReason, Loss, LossKind, LossLimits

_HOUR = 3600
_MORE_THAN_A_DAY = 1.25

IsKnown = Callable[[Pid], bool]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A proposal with the loss that it means."""

    situation: Situation
    proposal: Proposal
    loss: Loss
    replaced: bytes


class LossValve:
    def __init__(self, store: PublishingStore, policy: LossPolicy, now: datetime) -> None:
        self._store = store
        self._policy = policy
        self._now = now

    def hold_back(self, drafts: Iterable[Draft], is_known: IsKnown) -> dict[ScheduleKey, Held]:
        """The proposals that must be held, after reserving the losses of all others.

        ``is_known``: whether the catalogue has this episode; it is asked for episodes of the new documents.
        """
        candidates = self._find_losses(drafts, is_known)
        if not candidates:
            return {}
        # A hold of the budget waits for an operator, also if another document comes or the hour is over.
        waiting = {key: "" for key, each in candidates.items() if self._still_waits(each)}
        wanted = {key: (each.loss, each.replaced) for key, each in candidates.items() if key not in waiting}
        new_id = f"loss-{self._now:%Y%m%dT%H%M%SZ}"
        reservation = self._store.losses.reserve(wanted, self._limits(wanted), new_id, self._now)
        ids = {**dict.fromkeys(reservation.overdrawn, reservation.hold_id), **waiting}
        judge = SourceJudge(self._policy, self._now)
        return {
            key: judge.hold(
                candidates[key].situation,
                HoldReason.BUDGET,
                candidates[key].loss.kind,
                candidates[key].proposal,
                hold_id,
            )
            for key, hold_id in ids.items()
        }

    def _still_waits(self, candidate: _Candidate) -> bool:
        """Whether an undecided hold of the budget covers this; a document that is nearly whole ends the hold."""
        is_whole = candidate.loss.seconds <= self._policy.tolerated.total_seconds()
        return waits_for_operator(candidate.situation.standing) and not is_whole

    def _limits(self, keys: Collection[ScheduleKey]) -> LossLimits:
        """A service that never fills its day has a smaller budget: a quarter more than its longest normal day."""
        sids = sorted({key.sid for key in keys})
        learned = self._store.expectations.read(sids)
        hours = dict.fromkeys(sids, self._policy.service_hours)
        for sid, expectation in learned.items():
            if longest := expectation.longest_day():
                hours[sid] = min(hours[sid], _MORE_THAN_A_DAY * longest)
        return LossLimits(
            round(self._policy.whole_hours * _HOUR), {sid: round(each * _HOUR) for sid, each in hours.items()}
        )

    def _find_losses(self, drafts: Iterable[Draft], is_known: IsKnown) -> dict[ScheduleKey, _Candidate]:
        found = {}
        for draft in drafts:
            if draft.proposal is None or draft.situation is None:
                continue
            window = to_come(draft.situation.day, self._now)
            kind, lost = self._measure(draft.situation, draft.proposal, window, is_known)
            if lost >= timedelta(seconds=1):
                loss = Loss(draft.key, kind, draft.proposal.digest, round(lost.total_seconds()), self._now)
                found[draft.key] = _Candidate(
                    draft.situation, draft.proposal, loss, draft.state.accepted or b""
                )
        return found

    def _measure(
        self, situation: Situation, proposal: Proposal, window: Interval, is_known: IsKnown
    ) -> tuple[LossKind, timedelta]:
        """The loss of covered airtime, or that of known programmes where it is greater."""
        before = length_within(situation.coverage.current, window)
        uncovered = before - length_within(proposal.airtime, window)
        known = _known_airtime(proposal.slots, window, is_known)
        if known < before and (unknown := self._known_before(situation, window) - known) > uncovered:
            return LossKind.UNKNOWN_EPISODES, unknown
        return LossKind.REMOVED if proposal.digest == REMOVED else LossKind.SHRUNK, uncovered

    def _known_before(self, situation: Situation, window: Interval) -> timedelta:
        """The airtime to come for which partners know the programme now, or that is blanked."""
        slots = situation.committed_slots()
        episodes = sorted({slot.episode_pid for slot in slots if slot.episode_pid is not None})
        known = self._store.copies.read(episodes)
        return _known_airtime(slots, window, known.__contains__)


def _known_airtime(slots: Iterable[Slot], window: Interval, is_known: IsKnown) -> timedelta:
    shown = (
        slot.interval
        for slot in slots
        if slot.is_blanked or (slot.episode_pid is not None and is_known(slot.episode_pid))
    )
    return length_within(union(shown), window)
