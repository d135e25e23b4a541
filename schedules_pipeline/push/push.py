"""Pushing: takes a subscription, looks whether it may be told anything now, has it told, and notes what came of it.

Belongs here: what holds for every kind of subscription. Does not belong here: how each kind is told
(``push_changes.py``, ``push_files.py``), and when which is looked at (``delivery/pusher.py``).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from random import SystemRandom
from typing import Protocol

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.errors import PipelineError
from schedules_pipeline.maintenance.ports.coldstart import ColdstartStore
from schedules_pipeline.migration.ports.served import ServedSource, ServedSourceStore
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.partners.ports import PartnerStore
from schedules_pipeline.publishing.ports.feed import place
from schedules_pipeline.push.ports import SubscriptionStore
from schedules_pipeline.push.push_changes import WebhookPush
from schedules_pipeline.push.push_files import FilesPush
from schedules_pipeline.push.subscription import Failure, Standing, SubscriptionKind
from schedules_pipeline.push.turn import LEASE_FOR, Interrupted, Overtaken, Turn


class PushOutcome(StrEnum):
    """``TOLD``: everything, or as much as a turn has time for. ``HELD``: partners are not served from our keyspace, or
    it is not whole. ``BUSY``: somebody else is at it, or it is not due. ``OVERTAKEN``: somebody else took it over.
    ``INTERRUPTED``: this process ends.
    """

    TOLD = "told"
    FAILED = "failed"
    SET_ASIDE = "set aside"
    HELD = "held"
    BUSY = "busy"
    OVERTAKEN = "overtaken"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class PushReport:
    """``delivered``: how many requests were taken, or manifests written."""

    name: str
    outcome: PushOutcome
    delivered: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class FeedExtent:
    """How far the feed goes, up to where it is trimmed, and of which keyspace it is."""

    last: str
    trimmed: str
    epoch: str

    def is_ahead_of(self, standing: Standing) -> bool:
        """Whether there is anything that a subscription has not been told, or may not have been."""
        progress = standing.progress
        at = place(progress.position)
        return progress.epoch != self.epoch or at < place(self.last) or at < place(self.trimmed)


class Jitter(Protocol):
    def random(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Pusher:
    """``patience``: for how long a subscription may fail before it is set aside."""

    book: SubscriptionStore
    partners: PartnerStore
    served: ServedSourceStore
    coldstarts: ColdstartStore
    webhooks: WebhookPush
    files: FilesPush
    clock: Clock
    patience: timedelta = timedelta(hours=24)
    jitter: Jitter = field(default_factory=SystemRandom)

    def has_something_for(self, standing: Standing, extent: FeedExtent) -> bool:
        """Whether a turn at it is worth while now."""
        now, subscription = self.clock(), standing.subscription
        if not standing.is_due(now):
            return False
        is_files = subscription.kind is SubscriptionKind.FILES
        return extent.is_ahead_of(standing) or (
            is_files and self.files.rules.is_full_due(standing.progress, now)
        )

    def push(self, name: str, is_stopping: Callable[[], bool] = lambda: False) -> PushReport:
        """One turn at one subscription. Raises :class:`ServiceError` where our store does not answer."""
        lease = self.book.take(name, self.clock(), LEASE_FOR)
        if lease is None:
            return PushReport(name, PushOutcome.BUSY)
        turn = Turn(self.book, lease, self.clock, is_stopping)
        try:
            outcome = self._take_turn(turn, lease.standing)
        except Overtaken:
            return PushReport(name, PushOutcome.OVERTAKEN, turn.delivered)
        except Interrupted:
            outcome = self._end(turn, PushOutcome.INTERRUPTED)
        return PushReport(name, outcome, turn.delivered, turn.progress.problem)

    def _take_turn(self, turn: Turn, standing: Standing) -> PushOutcome:
        if not standing.is_due(turn.now):
            return self._end(turn, PushOutcome.BUSY)
        try:
            came_of_it = self._tell(turn)
        except PipelineError as error:
            came_of_it = Failure(str(error))
        if isinstance(came_of_it, PushOutcome):
            return self._end(turn, came_of_it)
        turn.fail(came_of_it, self.jitter.random(), self.patience)
        return PushOutcome.FAILED if turn.progress.set_aside is None else PushOutcome.SET_ASIDE

    def _tell(self, turn: Turn) -> PushOutcome | Failure:
        name = turn.subscription.partner
        partner = self.partners.one(name)
        if partner is None:
            return Failure(f"there is no partner {name}", is_final=True)
        epoch = self.coldstarts.epoch()
        if epoch is None or not self._is_served(partner):
            return PushOutcome.HELD
        push = self.webhooks if turn.subscription.kind is SubscriptionKind.WEBHOOK else self.files
        return push.push(turn, partner, epoch.id) or PushOutcome.TOLD

    def _is_served(self, partner: Partner) -> bool:
        if partner.is_preview or partner.is_operator:
            return True
        return self.served.current().source is ServedSource.OURS

    @staticmethod
    def _end(turn: Turn, outcome: PushOutcome) -> PushOutcome:
        turn.end(turn.progress)
        return outcome
