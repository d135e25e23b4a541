"""One turn at pushing one subscription: the lease, how far it is, and the clock that both go by."""

from collections.abc import Callable
from datetime import datetime, timedelta

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.push.ports import Lease, SubscriptionStore
from schedules_pipeline.push.subscription import Failure, Progress, Subscription, after_failure

LEASE_FOR = timedelta(seconds=90)
"""Longer than any one request takes, and so than what comes between two writings of the progress."""

TURN_FOR = timedelta(seconds=30)
"""Then others have theirs, and this one goes on later; nobody who has much to tell keeps a thread for ever."""


class Overtaken(Exception):
    """Somebody else has the subscription by now, or it was removed: nothing that this turn knows counts any more."""


class Interrupted(Exception):
    """The process ends; the next turn begins with what this one has not written down."""


class Turn:
    """Every change of :attr:`progress` is written before anything else is done, and the lease goes on with it."""

    def __init__(
        self, book: SubscriptionStore, lease: Lease, clock: Clock, is_stopping: Callable[[], bool]
    ) -> None:
        self.progress: Progress = lease.standing.progress
        self.subscription: Subscription = lease.standing.subscription
        self.delivered = 0
        self._book = book
        self._lease = lease
        self._clock = clock
        self._is_stopping = is_stopping
        self._began_at = clock()
        self._leased_until = self._began_at + LEASE_FOR

    @property
    def now(self) -> datetime:
        return self._clock()

    def go_on(self) -> None:
        """Raises :class:`Interrupted` where this process is about to end."""
        if self._is_stopping():
            raise Interrupted

    def goes_on(self) -> bool:
        """Whether there is time for another request."""
        return not self._is_stopping() and self.now - self._began_at < TURN_FOR

    def write(self, progress: Progress) -> None:
        """Raises :class:`Overtaken`."""
        self._keep(progress, self.now + LEASE_FOR)

    def deliver(self, position: str, epoch: str) -> None:
        """Everything up to there was taken. Raises :class:`Overtaken`."""
        self.write(self.progress.delivered(position, epoch, self.now))
        self.delivered += 1

    def secure(self, length: timedelta) -> None:
        """Have the lease for at least so long from now. Raises :class:`Overtaken`."""
        if self.now + length > self._leased_until:
            self.write(self.progress)

    def fail(self, failure: Failure, jitter: float, patience: timedelta) -> None:
        self.end(after_failure(self.progress, failure, self.now, jitter, patience))

    def end(self, progress: Progress) -> None:
        """Write it and give the lease back. Raises :class:`Overtaken`."""
        self._keep(progress, self.now)

    def _keep(self, progress: Progress, until: datetime) -> None:
        if not self._book.keep(self._lease, progress, until):
            raise Overtaken
        self.progress, self._leased_until = progress, until
