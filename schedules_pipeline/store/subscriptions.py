"""Subscriptions on Redis: their definition, progress and lease."""

from contextlib import suppress
from datetime import datetime, timedelta

from schedules_pipeline.documents.record import Record
from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.push.ports import Lease
from schedules_pipeline.push.subscription import Progress, Standing, Subscription
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink

_SUBSCRIPTION = Record(Subscription, "subscription")
_PROGRESS = Record(Progress, "push progress")


class RedisSubscriptionStore:
    """Implements :class:`SubscriptionStore`."""

    def __init__(self, link: RedisLink, keys: Keys) -> None:
        self._link = link
        self._subscriptions, self._progress = keys.delivery("subscriptions"), keys.delivery("push_progress")
        self._leases, self._tokens = keys.delivery("push_leases"), keys.delivery("push_tokens")
        self._token = keys.delivery("push_token")
        self._subscribe, self._unsubscribe = link.script("subscribe"), link.script("unsubscribe")
        self._take, self._keep = link.script("acquire_subscription"), link.script("save_subscription")

    def create(self, subscription: Subscription, progress: Progress) -> bool:
        rendered = (_SUBSCRIPTION.render(subscription), _PROGRESS.render(progress))
        keys = [self._subscriptions, self._progress]
        return bool(self._link.call(*self._subscribe.command(keys, [subscription.name, *rendered])))

    def remove(self, name: str) -> bool:
        return bool(self._link.call(*self._unsubscribe.command(self._keys(), [name])))

    def all(self) -> list[Standing]:
        """Both hashes in one call, though not in one atomic step."""
        subscriptions, progress = self._link.run(
            [("HGETALL", self._subscriptions), ("HGETALL", self._progress)]
        )
        found = []
        for name, subscription in sorted(subscriptions.items()):
            # A damaged record must not hide the others.
            with suppress(InvalidRecord, KeyError):
                found.append(_standing(subscription, progress[name]))
        return found

    def one(self, name: str) -> Standing | None:
        subscription, progress = self._link.run(
            [("HGET", self._subscriptions, name), ("HGET", self._progress, name)]
        )
        return None if subscription is None or progress is None else _standing(subscription, progress)

    def acquire(self, name: str, now: datetime, lease_for: timedelta) -> Lease | None:
        return self._lease(name, now, lease_for, by_force=0)

    def seize(self, name: str, now: datetime, lease_for: timedelta) -> Lease | None:
        return self._lease(name, now, lease_for, by_force=1)

    def save(
        self, lease: Lease, progress: Progress, until: datetime, subscription: Subscription | None = None
    ) -> bool:
        changed = b"" if subscription is None else _SUBSCRIPTION.render(subscription)
        arguments: list[str | bytes | int | float] = [lease.name, lease.token, until.timestamp()]
        arguments += [_PROGRESS.render(progress), changed]
        return bool(self._link.call(*self._keep.command(self._keys(), arguments)))

    def _lease(self, name: str, now: datetime, lease_for: timedelta, *, by_force: int) -> Lease | None:
        times = (now.timestamp(), (now + lease_for).timestamp())
        found = self._link.call(*self._take.command([*self._keys(), self._token], [name, *times, by_force]))
        return None if found is None else Lease(int(found[0]), _standing(found[1], found[2]))

    def _keys(self) -> list[str]:
        return [self._subscriptions, self._progress, self._leases, self._tokens]


def _standing(subscription: bytes, progress: bytes) -> Standing:
    return Standing(_SUBSCRIPTION.parse(subscription), _PROGRESS.parse(progress))
