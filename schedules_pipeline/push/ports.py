"""Where subscriptions are kept, and how they are reached: the book, a request over the web, a shelf of files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from schedules_pipeline.migration.ports import MigrationStore
from schedules_pipeline.partners.ports import PartnerStore
from schedules_pipeline.push.subscription import Progress, Standing, Subscription


@dataclass(frozen=True, slots=True)
class Lease:
    """The leave to push one subscription, and how it stood when it was given. Whoever takes it next has another
    token, and the earlier one is worth nothing from then on.
    """

    token: int
    standing: Standing

    @property
    def name(self) -> str:
        return self.standing.subscription.name


class SubscriptionStore(Protocol):
    """All subscriptions, each with its place in the change feed.

    Any number of pushers may use it at once: one at a time has the lease of a subscription, and only who has the
    latest can move its place. So a slow pusher never moves it back, whatever it has sent.
    """

    def create(self, subscription: Subscription, progress: Progress) -> bool:
        """False, and nothing is done, where the name belongs to another. The very same again is True."""

    def remove(self, name: str) -> bool:
        """False where there is none. Whoever pushes it just now cannot say how far it came any more."""

    def all(self) -> list[Standing]:
        """By name; those that do not read back are left out, and :meth:`one` says why."""

    def one(self, name: str) -> Standing | None: ...

    def take(self, name: str, now: datetime, lease_for: timedelta) -> Lease | None:
        """The lease of it; None where somebody else has it, or there is no such subscription."""

    def seize(self, name: str, now: datetime, lease_for: timedelta) -> Lease | None:
        """As :meth:`take`, whoever has it: for operators."""

    def keep(
        self, lease: Lease, progress: Progress, until: datetime, subscription: Subscription | None = None
    ) -> bool:
        """Write down how far it is, have the lease end at that instant, and change the subscription where one is
        given. False, and nothing is done, where somebody else has taken the lease since, or it was removed.
        """


@dataclass(frozen=True, slots=True)
class Answer:
    """``retry_after``: the header of that name as it came, "" for none. ``problem``: why there was no answer at all;
    then ``status`` is 0.
    """

    status: int
    retry_after: str = ""
    problem: str = ""


class Receiver(Protocol):
    """Posts to the addresses of partners."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Gives up where nothing comes for ten seconds. Redirections are not followed, and of the answer's body next
        to nothing is read. What is answered tells no secret, nor the address.
        """


class FileStore(Protocol):
    """Objects in the bucket that collectors read. Every method raises :class:`ServiceError` where it does not answer,
    and does so within :data:`SHELF_GIVES_UP_AFTER`.
    """

    def put(self, name: str, content: bytes, media_type: str) -> None:
        """Whole or not at all; what was there under that name is replaced."""

    def read(self, name: str) -> bytes | None: ...

    def delete(self, name: str) -> None:
        """Also where there is none."""

    def names(self, prefix: str) -> Iterator[str]: ...


SHELF_GIVES_UP_AFTER = timedelta(seconds=40)
"""A call that has begun is over by then, so whoever has a lease for longer writes nothing after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushStore(MigrationStore):
    """What push and the delivery service keep, beside everything that they read."""

    partners: PartnerStore
    subscriptions: SubscriptionStore
