"""One turn at one subscription of any kind: take its lease, deliver its pending changes, write its progress."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from random import SystemRandom

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.errors import PipelineError
from schedules_pipeline.migration.ports import ServedSource
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.publishing.ports.feed import place
from schedules_pipeline.push.ports import PushStore
from schedules_pipeline.push.push_changes import WebhookPush
from schedules_pipeline.push.push_files import FilesPush
from schedules_pipeline.push.subscription import Failure, Standing, SubscriptionKind, after_failure
from schedules_pipeline.push.turn import LEASE_FOR, LeaseLost, ProcessStopping, Turn


class PushOutcome(StrEnum):
    """How a turn ended.

    ``DELIVERED``: every pending change, or as many as fit into a turn. ``NOT_SERVED``: the old system still serves
    the partner, or the keyspace is incomplete. ``SKIPPED``: another process holds the lease, or nothing is due.
    ``STOPPED``: this process is about to end.
    """

    DELIVERED = "delivered"
    FAILED = "failed"
    QUARANTINED = "quarantined"
    NOT_SERVED = "not served"
    SKIPPED = "skipped"
    LEASE_LOST = "lease lost"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class PushReport:
    """``delivered``: the number of accepted requests, or of written manifests."""

    name: str
    outcome: PushOutcome
    delivered: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class FeedExtent:
    """The feed's last position, the position up to which it is trimmed, and its keyspace."""

    last: str
    trimmed: str
    epoch: str

    def is_ahead_of(self, standing: Standing) -> bool:
        """Whether a subscription has pending changes, or may have missed some."""
        progress = standing.progress
        at = place(progress.position)
        return progress.epoch != self.epoch or at < place(self.last) or at < place(self.trimmed)


@dataclass(frozen=True, slots=True)
class Pusher:
    """``quarantine_after``: how long a subscription may fail. ``jitter`` gives numbers from 0 to 1."""

    store: PushStore
    webhooks: WebhookPush
    files: FilesPush
    clock: Clock
    quarantine_after: timedelta = timedelta(hours=24)
    jitter: Callable[[], float] = SystemRandom().random

    def has_work(self, standing: Standing, extent: FeedExtent) -> bool:
        """Whether a turn could deliver something now."""
        now = self.clock()
        if not standing.is_due(now):
            return False
        is_files = standing.subscription.kind is SubscriptionKind.FILES
        if is_files:
            return extent.is_ahead_of(standing) or self.files.policy.is_full_due(standing.progress, now)
        return extent.is_ahead_of(standing) or standing.progress.ping_at is not None

    def push(self, name: str, is_stopping: Callable[[], bool] = lambda: False) -> PushReport:
        """One turn at one subscription. Raises :class:`ServiceError` if the store does not answer."""
        lease = self.store.subscriptions.acquire(name, self.clock(), LEASE_FOR)
        if lease is None:
            return PushReport(name, PushOutcome.SKIPPED)
        turn = Turn(self.store.subscriptions, lease, self.clock, is_stopping)
        try:
            outcome = self._end(turn, self._deliver(turn, lease.standing))
        except LeaseLost:
            return PushReport(name, PushOutcome.LEASE_LOST, turn.delivered)
        return PushReport(name, outcome, turn.delivered, turn.progress.problem)

    def _deliver(self, turn: Turn, standing: Standing) -> PushOutcome | Failure:
        if not standing.is_due(turn.now):
            return PushOutcome.SKIPPED
        try:
            return self._deliver_to_partner(turn)
        except ProcessStopping:
            return PushOutcome.STOPPED
        except PipelineError as error:
            return Failure(str(error))

    def _deliver_to_partner(self, turn: Turn) -> PushOutcome | Failure:
        name = turn.subscription.partner
        partner = self.store.partners.one(name)
        if partner is None:
            return Failure(f"there is no partner {name}", is_final=True)
        epoch = self.store.coldstarts.epoch()
        if epoch is None or not is_served(partner, self.store):
            return PushOutcome.NOT_SERVED
        push = self.webhooks if turn.subscription.kind is SubscriptionKind.WEBHOOK else self.files
        return push.push(turn, partner, epoch.id) or PushOutcome.DELIVERED

    def _end(self, turn: Turn, result: PushOutcome | Failure) -> PushOutcome:
        if isinstance(result, PushOutcome):
            turn.end(turn.progress)
            return result
        turn.end(after_failure(turn.progress, result, turn.now, self.jitter(), self.quarantine_after))
        return PushOutcome.FAILED if turn.progress.quarantine is None else PushOutcome.QUARANTINED


def is_served(partner: Partner, store: PushStore) -> bool:
    """Whether the pipeline serves the partner, rather than the old system."""
    is_early = partner.is_preview or partner.is_operator
    return is_early or store.served.current().source is ServedSource.OURS
