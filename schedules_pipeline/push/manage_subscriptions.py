"""Changes to subscriptions by operators and partners: register, pause, resume, rotate, replay.

Each change seizes the lease from the process that pushes the subscription. That process cannot write its progress any
more, so its last requests may be repeated, with the same ids.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.errors import InvalidIdentifier
from schedules_pipeline.publishing.ports.feed import place
from schedules_pipeline.push.ports import PushStore
from schedules_pipeline.push.subscription import Progress, Standing, Subscription, SubscriptionKind
from schedules_pipeline.push.webhook_target import overlaps

_LEASE_FOR = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class SubscriptionAdmin:
    """Every change of one subscription returns its new standing, or None if there is no such subscription."""

    store: PushStore
    clock: Clock

    def register(self, subscription: Subscription) -> bool:
        """Deliver changes from now on; False if another subscription has the name.

        Raises :class:`InvalidIdentifier` if its files would lie among those of another.
        """
        if subscription.kind is SubscriptionKind.FILES:
            self._reject_overlap(subscription)
        epoch = self.store.coldstarts.epoch()
        start = Progress(self.store.feed.last_position(), epoch.id if epoch else "")
        return self.store.subscriptions.create(subscription, start)

    def pause(self, name: str) -> Standing | None:
        return self._change(name, lambda s: replace(s, subscription=replace(s.subscription, is_paused=True)))

    def resume(self, name: str) -> Standing | None:
        """End a pause, a quarantine, or the wait for the next attempt."""
        return self._change(
            name, lambda s: Standing(replace(s.subscription, is_paused=False), s.progress.recovered())
        )

    def rotate(self, name: str, replaced: int | None = None) -> Standing | None:
        """Replace the secret. ``replaced``: only if it is of this generation, so that a repeated request changes
        nothing.
        """
        now = self.clock()

        def rotate(standing: Standing) -> Standing:
            subscription = standing.subscription
            if replaced not in (None, subscription.generation):
                return standing
            return replace(standing, subscription=subscription.rotated(now))

        return self._change(name, rotate)

    def configure(self, name: str, **choices: Any) -> Standing | None:
        """``choices``: as :meth:`Subscription.configured`."""
        return self._change(name, lambda s: replace(s, subscription=s.subscription.configured(**choices)))

    def ping(self, name: str) -> Standing | None:
        """Send an event that tells of no change, before the pending changes. Only webhooks are pinged."""
        now = self.clock()
        return self._change(name, lambda s: replace(s, progress=s.progress.pinged(now)))

    def write_full(self, name: str) -> Standing | None:
        """Write all files at the next turn."""
        return self._change(
            name, lambda s: replace(s, progress=replace(s.progress, full_at=None, next_at=None))
        )

    def replay(self, name: str, position: str, epoch: str) -> Standing | None:
        """Deliver every change after a position again. Raises :class:`InvalidIdentifier` if the feed has been trimmed
        beyond it, or is of another keyspace.
        """
        now = self.store.coldstarts.epoch()
        if now is None or now.id != epoch:
            raise InvalidIdentifier(
                "that cursor is of a keyspace that was lost; nothing can be replayed from it"
            )
        if place(position) < place(self.store.feed.complete_after()):
            raise InvalidIdentifier(
                "the changes after that are not all kept any more; name a later time or cursor"
            )
        return self._change(name, lambda s: replace(s, progress=s.progress.rewound(position, epoch)))

    def _change(self, name: str, change: Callable[[Standing], Standing]) -> Standing | None:
        now = self.clock()
        lease = self.store.subscriptions.seize(name, now, _LEASE_FOR)
        if lease is None:
            return None
        after = change(lease.standing)
        return (
            after if self.store.subscriptions.save(lease, after.progress, now, after.subscription) else None
        )

    def _reject_overlap(self, subscription: Subscription) -> None:
        for other in (standing.subscription for standing in self.store.subscriptions.all()):
            is_another = other.kind is SubscriptionKind.FILES and other.name != subscription.name
            if is_another and overlaps(subscription.target, other.target):
                raise InvalidIdentifier(
                    f"{subscription.target} lies among the files of {other.name}, which are below {other.target}"
                )
