"""The ports of push: the store of subscriptions, requests to receivers, and the store of files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from schedules_pipeline.migration.ports import MigrationStore
from schedules_pipeline.partners.ports import PartnerStore
from schedules_pipeline.partners.sign_in import SignInStore
from schedules_pipeline.push.subscription import Progress, Standing, Subscription


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to push one subscription, and its standing when the lease was taken.

    The next lease has another token, and from then on this one cannot write.
    """

    token: int
    standing: Standing

    @property
    def name(self) -> str:
        return self.standing.subscription.name


class SubscriptionStore(Protocol):
    """All subscriptions, each with its progress.

    Any number of pushers may use the store at once. Only the holder of a subscription's latest lease can write its
    progress, so a slow pusher never moves the position back.
    """

    def create(self, subscription: Subscription, progress: Progress) -> bool:
        """False, without a change, if another subscription has the name. Creating an equal one again is True."""

    def remove(self, name: str) -> bool:
        """False if there is no such subscription. A pusher that holds its lease cannot write its progress any more."""

    def all(self) -> list[Standing]:
        """By name. Records that cannot be decoded are left out; :meth:`one` raises their error."""

    def one(self, name: str) -> Standing | None: ...

    def acquire(self, name: str, now: datetime, lease_for: timedelta) -> Lease | None:
        """A new lease; None if another process holds one, or there is no such subscription."""

    def seize(self, name: str, now: datetime, lease_for: timedelta) -> Lease | None:
        """A new lease even if another process holds one. For changes by operators."""

    def save(
        self, lease: Lease, progress: Progress, until: datetime, subscription: Subscription | None = None
    ) -> bool:
        """Write the progress, and the subscription if one is given; the lease then ends at ``until``.

        False, without a change, if another process has taken the lease since, or the subscription was removed.
        """


@dataclass(frozen=True, slots=True)
class Answer:
    """A receiver's answer. ``retry_after``: the header of that name, "" if absent.

    Without any answer ``status`` is 0 and ``problem`` says why. ``seconds``: from the start of the request to its end.
    """

    status: int
    retry_after: str = ""
    problem: str = ""
    seconds: float = 0.0


class Receiver(Protocol):
    """Posts to partners' addresses."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Give up after ten seconds of silence. Redirections are not followed, and about a kilobyte of the answer's
        body is read. The answer holds neither a secret nor the address.
        """


class FileStore(Protocol):
    """Objects in the bucket that partners read. Every method raises :class:`ServiceError` if the bucket does not
    answer, at the latest after :data:`FILE_STORE_TIMEOUT`.
    """

    def put(self, name: str, content: bytes, media_type: str) -> None:
        """Write the object or replace it, wholly or not at all."""

    def read(self, name: str) -> bytes | None: ...

    def delete(self, name: str) -> None:
        """Does nothing if there is no such object."""

    def names(self, prefix: str) -> Iterator[str]: ...


FILE_STORE_TIMEOUT = timedelta(seconds=40)
"""The longest duration of a call. A lease that lasts longer when the call begins therefore covers it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushStore(MigrationStore):
    """The stores that push and the delivery service write, added to those that they read."""

    partners: PartnerStore
    subscriptions: SubscriptionStore
    sign_ins: SignInStore
