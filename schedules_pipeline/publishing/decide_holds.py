"""Lists held losses of airtime, and lets an operator confirm or reject them.

A decision is about the broadcasts that the operator has seen, by their digest: if the source has others by then, they
are judged on their own.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.errors import ContentError
from schedules_pipeline.publishing.ports import PublishingStore
from schedules_pipeline.publishing.ports.losses import (
    BUDGET_WINDOW,
    Decision,
    Hold,
    HoldReason,
    Loss,
    LossStore,
    Standing,
    Verdict,
)
from schedules_pipeline.publishing.ports.work import Mark
from schedules_pipeline.publishing.publish import Publisher, in_batches
from schedules_pipeline.publishing.rebuild import EMPTY_BATCH, BatchResult
from schedules_pipeline.publishing.urgency import due_at


class NoSuchHold(ContentError):
    """No hold has this id, or its last schedule has been published since."""


@dataclass(frozen=True, slots=True)
class HeldLoss:
    """All that one event would lose, or one schedule. ``let_through``: what the same event lost before its budget ran
    out; rejecting the hold restores it. ``verdict``: None while it waits for a decision or for a fuller document.
    """

    id: str
    reason: HoldReason
    held: Mapping[ScheduleKey, Hold]
    let_through: Mapping[ScheduleKey, Loss]
    verdict: Verdict | None

    @property
    def held_at(self) -> datetime:
        return min(hold.held_at for hold in self.held.values())

    @property
    def airs_at(self) -> datetime:
        """When the first of the held broadcast days begins."""
        return min(hold.airs_at for hold in self.held.values())

    @property
    def seconds(self) -> int:
        """The airtime to come that is held."""
        return sum(hold.lost_seconds for hold in self.held.values())

    @property
    def seconds_by_service(self) -> dict[Sid, int]:
        found: dict[Sid, int] = defaultdict(int)
        for key, hold in sorted(self.held.items()):
            found[key.sid] += hold.lost_seconds
        return dict(found)


def list_holds(losses: LossStore) -> list[HeldLoss]:
    """All holds of a store, those that wait for a decision first, then the latest first."""
    decisions, let_through = losses.decisions(), losses.let_through()
    groups: dict[tuple[str, Verdict | None], dict[ScheduleKey, Hold]] = defaultdict(dict)
    for key, hold in losses.holds().items():
        groups[hold.id, Standing(hold, decisions.get(key)).verdict][key] = hold
    found = [
        HeldLoss(hold_id, _reason(held), held, _same_event(held, let_through), verdict)
        for (hold_id, verdict), held in groups.items()
    ]
    return sorted(found, key=lambda each: (each.verdict is not None, -each.held_at.timestamp(), each.id))


class HoldDecisions:
    def __init__(
        self, store: PublishingStore, publisher: Publisher, calendar: BroadcastCalendar, clock: Clock
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._calendar = calendar
        self._clock = clock

    def list(self) -> list[HeldLoss]:
        """All holds, those that wait for a decision first, then the latest first."""
        return list_holds(self._store.losses)

    def find(self, hold_id: str) -> HeldLoss:
        """The hold that waits for a decision. Raises :class:`NoSuchHold`."""
        for each in self.list():
            if each.id == hold_id and each.verdict is None:
                return each
        raise NoSuchHold(f"no hold {hold_id!r} waits for a decision: `schedules-pipeline holds list`")

    def confirm(self, loss: HeldLoss, cause: Cause) -> BatchResult:
        """Publish what is held."""
        self._decide(loss.id, loss.held, Verdict.CONFIRMED)
        return self._rebuild(loss.held, cause)

    def reject(self, loss: HeldLoss, cause: Cause) -> BatchResult:
        """Keep what partners have until the source has something else, and restore what was let through."""
        restored = {
            key: _restoring(loss, lost, self._calendar.window(key).start)
            for key, lost in loss.let_through.items()
        }
        self._store.losses.hold(restored)
        self._decide(loss.id, restored, Verdict.REJECTED, restores=True)
        self._decide(loss.id, loss.held, Verdict.REJECTED)
        return self._rebuild([*loss.held, *restored], cause)

    def revisit(self, cause_id: str) -> int:
        """Have holds judged again, because time ends them: the day is over, or less of it is to come. Returns their
        number.

        It also finishes what a process has left that died after a decision or a publication.
        """
        now = self._clock()
        decisions = self._store.losses.decisions()
        keys = [key for key, hold in self._store.losses.holds().items() if _may_end(hold, decisions.get(key))]
        self._store.schedules.count_source_change(keys)
        cause = Cause(cause_id, Origin.HOLD, "judged again", now)
        self._store.work.mark([Mark(key, due_at(key, now, self._calendar), cause) for key in keys])
        return len(keys)

    def _decide(
        self, hold_id: str, holds: Mapping[ScheduleKey, Hold], verdict: Verdict, *, restores: bool = False
    ) -> None:
        now = self._clock()
        self._store.losses.decide(
            {key: Decision(hold_id, hold.digest, verdict, now, restores) for key, hold in holds.items()}
        )

    def _rebuild(self, keys: Iterable[ScheduleKey], cause: Cause) -> BatchResult:
        wanted = sorted(keys, key=lambda key: (key.date, key.sid))
        built = (self._publisher.rebuild_from_sources(batch, cause) for batch in in_batches(wanted))
        return sum(built, EMPTY_BATCH)


def _may_end(hold: Hold, decision: Decision | None) -> bool:
    """Whether judging it again may change anything: a rejected one stays until the source changes."""
    return Standing(hold, decision).verdict is not Verdict.REJECTED or (
        decision is not None and decision.restores
    )


def _reason(held: Mapping[ScheduleKey, Hold]) -> HoldReason:
    """Of the schedules that are held; those that were restored joined them later."""
    reasons = [hold.reason for hold in held.values()]
    return next((reason for reason in reasons if reason is not HoldReason.RESTORED), reasons[0])


def _same_event(
    held: Mapping[ScheduleKey, Hold], let_through: Mapping[ScheduleKey, Loss]
) -> dict[ScheduleKey, Loss]:
    """The losses of the same kind that used up the budget in the hour before."""
    budget = [hold for hold in held.values() if hold.reason is HoldReason.BUDGET]
    if not budget:
        return {}
    kinds = {hold.kind for hold in budget}
    since, until = min(hold.held_at for hold in budget) - BUDGET_WINDOW, max(hold.held_at for hold in budget)
    return {
        key: loss
        for key, loss in let_through.items()
        if key not in held and loss.kind in kinds and since < loss.at <= until
    }


def _restoring(of: HeldLoss, lost: Loss, airs_at: datetime) -> Hold:
    return Hold(
        id=of.id,
        reason=HoldReason.RESTORED,
        kind=lost.kind,
        digest=lost.digest,
        put_id="",
        lost_seconds=lost.seconds,
        covered_seconds=0,
        held_at=lost.at,
        airs_at=airs_at,
    )
