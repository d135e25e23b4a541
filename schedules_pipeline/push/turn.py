"""One turn at pushing one subscription: its lease and its written progress."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.push.ports import Answer, Lease, SubscriptionStore
from schedules_pipeline.push.subscription import Attempt, Progress, Subscription

LEASE_FOR = timedelta(seconds=90)
"""Longer than any one request, and therefore than the time between two writes of the progress."""

TURN_FOR = timedelta(seconds=30)
"""After this the thread is free for other subscriptions; the rest is sent in a later turn."""


class LeaseLost(Exception):
    """Another process took the lease, or the subscription was removed: this turn can write nothing more."""


class ProcessStopping(Exception):
    """The process is about to end. The next turn starts from the progress that was last written."""


class Turn:
    """Holds the lease of one subscription. Every change of :attr:`progress` is written before the turn goes on, and
    each write extends the lease.
    """

    def __init__(
        self, store: SubscriptionStore, lease: Lease, clock: Clock, is_stopping: Callable[[], bool]
    ) -> None:
        self.progress: Progress = lease.standing.progress
        self.subscription: Subscription = lease.standing.subscription
        self.delivered = 0
        self._store = store
        self._lease = lease
        self._clock = clock
        self._is_stopping = is_stopping
        self._began_at = clock()
        self._leased_until = self._began_at + LEASE_FOR

    @property
    def now(self) -> datetime:
        return self._clock()

    def has_time(self) -> bool:
        """Whether the turn may send another request."""
        return not self._is_stopping() and self.now - self._began_at < TURN_FOR

    def secure(self, length: timedelta) -> None:
        """Extend the lease unless it lasts for ``length`` from now. Raises :class:`LeaseLost`, or
        :class:`ProcessStopping` if the process is about to end.
        """
        if self._is_stopping():
            raise ProcessStopping
        if self.now + length > self._leased_until:
            self.write(self.progress)

    def write(self, progress: Progress) -> None:
        """Raises :class:`LeaseLost`."""
        self._keep(progress, self.now + LEASE_FOR)

    def write_delivered(self, progress: Progress) -> None:
        """Write the progress after a delivery, and count the delivery. Raises :class:`LeaseLost`."""
        self.write(progress)
        self.delivered += 1

    def note(self, answer: Answer, changes: int) -> None:
        """List a request among the latest ones. The next write has it, at the latest the turn's end."""
        attempt = Attempt(self.now, answer.status, round(answer.seconds, 3), changes, answer.problem)
        self.progress = self.progress.attempted(attempt)

    def remember(self, ahead: tuple[tuple[str, int], ...]) -> None:
        """Versions that the receiver has beyond the position. The next write has them, at the latest the turn's end."""
        self.progress = replace(self.progress, ahead=ahead)

    def end(self, progress: Progress) -> None:
        """Write the progress and release the lease. Raises :class:`LeaseLost`."""
        self._keep(progress, self.now)

    def _keep(self, progress: Progress, until: datetime) -> None:
        if not self._store.save(self._lease, progress, until):
            raise LeaseLost
        self.progress, self._leased_until = progress, until
