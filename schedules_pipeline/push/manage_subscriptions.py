"""What operators do to subscriptions: enter them, stop them and let them go on, move them back.

Each change takes the subscription from whoever pushes it just now, whose place is then not written any more: what
that one sent meanwhile is sent again, under the same ids.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.errors import InvalidIdentifier
from schedules_pipeline.maintenance.ports.coldstart import ColdstartStore
from schedules_pipeline.publishing.ports.feed import ChangeFeed, place
from schedules_pipeline.push.ports import SubscriptionStore
from schedules_pipeline.push.subscription import Progress, Standing, Subscription, SubscriptionKind
from schedules_pipeline.push.webhook_target import overlaps

_MOMENT = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class SubscriptionAdmin:
    book: SubscriptionStore
    feed: ChangeFeed
    coldstarts: ColdstartStore
    clock: Clock

    def register(self, subscription: Subscription) -> bool:
        """It is told from now on; False where the name belongs to another. Raises :class:`InvalidIdentifier` where
        its files would lie among those of another.
        """
        if subscription.kind is SubscriptionKind.FILES:
            self._reject_overlap(subscription)
        epoch = self.coldstarts.epoch()
        start = Progress(self.feed.last_position(), epoch.id if epoch else "")
        return self.book.create(subscription, start)

    def pause(self, name: str) -> Standing | None:
        return self._change(name, lambda s: replace(s, subscription=replace(s.subscription, is_paused=True)))

    def resume(self, name: str) -> Standing | None:
        """Whether it was paused, set aside, or waits for its next attempt."""
        return self._change(
            name, lambda s: Standing(replace(s.subscription, is_paused=False), s.progress.healed())
        )

    def rotate(self, name: str) -> Standing | None:
        now = self.clock()
        return self._change(name, lambda s: replace(s, subscription=s.subscription.rotated(now)))

    def write_full(self, name: str) -> Standing | None:
        """All files are written at its next turn."""
        return self._change(
            name, lambda s: replace(s, progress=replace(s.progress, full_at=None, next_at=None))
        )

    def replay(self, name: str, position: str, epoch: str) -> Standing | None:
        """Told once more from there. Raises :class:`InvalidIdentifier` where the feed does not go back so far, or is
        another.
        """
        now = self.coldstarts.epoch()
        if now is None or now.id != epoch:
            raise InvalidIdentifier(
                "that cursor is of a keyspace that was lost; nothing can be told from there"
            )
        if place(position) < place(self.feed.complete_after()):
            raise InvalidIdentifier(
                "changes after that are not all kept any more; say a later time or cursor"
            )
        return self._change(name, lambda s: replace(s, progress=s.progress.replayed(position, epoch)))

    def _change(self, name: str, change: Callable[[Standing], Standing]) -> Standing | None:
        """None where there is none, or it was removed meanwhile."""
        now = self.clock()
        lease = self.book.seize(name, now, _MOMENT)
        if lease is None:
            return None
        after = change(lease.standing)
        return after if self.book.keep(lease, after.progress, now, after.subscription) else None

    def _reject_overlap(self, subscription: Subscription) -> None:
        others = [standing.subscription for standing in self.book.all()]
        for other in others:
            is_another = other.kind is SubscriptionKind.FILES and other.name != subscription.name
            if is_another and overlaps(subscription.target, other.target):
                raise InvalidIdentifier(
                    f"{subscription.target} lies among the files of {other.name}, which are below {other.target}"
                )
