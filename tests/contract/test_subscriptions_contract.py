"""The store of subscriptions, on fakes and Redis alike."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from schedules_pipeline.composition import Store
from schedules_pipeline.push.ports import Lease, SubscriptionStore
from schedules_pipeline.push.subscription import (
    Progress,
    Quarantine,
    Standing,
    Subscription,
    SubscriptionKind,
)

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_LEASE_FOR = timedelta(seconds=60)
_HOOK = Subscription(
    "harbour-webhook", "harbour", SubscriptionKind.WEBHOOK, "https://push.example.org/a?b=é", _NOW
)
_FILES = Subscription(
    *("harbour-files", "harbour", SubscriptionKind.FILES, "partners/harbour", _NOW),
    formats=("json", "xmltv"),
    generation=3,
    rotated_at=_NOW,
    is_paused=True,
)
_START = Progress("7-0", "life")
_FAR = Progress(
    *("9-1", "life", 2, _NOW, _NOW + _LEASE_FOR, "answered with status 500"),
    quarantine=Quarantine(_NOW, "gone"),
    delivered_at=_NOW,
    full_at=_NOW,
)


def _take(book: SubscriptionStore, name: str = _HOOK.name, now: datetime = _NOW) -> Lease:
    lease = book.acquire(name, now, _LEASE_FOR)
    assert lease is not None
    return lease


def test_an_empty_store_has_no_subscriptions(store: Store) -> None:
    """There is nothing to list, lease or remove."""
    book = store.subscriptions

    assert book.all() == []
    assert book.one("harbour-webhook") is None
    assert book.acquire("harbour-webhook", _NOW, _LEASE_FOR) is None
    assert book.seize("harbour-webhook", _NOW, _LEASE_FOR) is None
    assert not book.remove("harbour-webhook")


def test_a_subscription_comes_back_whole(store: Store) -> None:
    """Subscriptions are listed by name, with all fields and their first position."""
    store.subscriptions.create(_HOOK, _START)
    store.subscriptions.create(_FILES, _FAR)

    assert store.subscriptions.all() == [Standing(_FILES, _FAR), Standing(_HOOK, _START)]
    assert store.subscriptions.one(_FILES.name) == Standing(_FILES, _FAR)


def test_a_name_belongs_to_one_subscription(store: Store) -> None:
    """Another subscription of the same name is rejected; repeating the same one is allowed and moves nothing."""
    assert store.subscriptions.create(_HOOK, _START)

    other = store.subscriptions.create(replace(_HOOK, target="https://elsewhere.example.org"), _FAR)
    again = store.subscriptions.create(_HOOK, _FAR)

    assert (other, again) == (False, True)
    assert store.subscriptions.all() == [Standing(_HOOK, _START)]


def test_a_lease_shows_how_the_subscription_stands(store: Store) -> None:
    """The holder gets the subscription and its progress of one instant."""
    store.subscriptions.create(_FILES, _FAR)

    lease = _take(store.subscriptions, _FILES.name)

    assert lease.standing == Standing(_FILES, _FAR)


def test_a_lease_is_exclusive(store: Store) -> None:
    """While a lease lasts no other pusher gets it; afterwards the next one does, with another token."""
    store.subscriptions.create(_HOOK, _START)
    first = _take(store.subscriptions)

    during = store.subscriptions.acquire(_HOOK.name, _NOW + _LEASE_FOR - timedelta(seconds=1), _LEASE_FOR)
    after = _take(store.subscriptions, now=_NOW + _LEASE_FOR)

    assert during is None
    assert after.token > first.token


def test_of_many_at_once_one_gets_the_lease(store: Store) -> None:
    """Of many pushers that ask at once, one gets the lease."""
    store.subscriptions.create(_HOOK, _START)

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: store.subscriptions.acquire(_HOOK.name, _NOW, _LEASE_FOR), range(8)))

    assert len([lease for lease in taken if lease is not None]) == 1


def test_leases_of_different_subscriptions_are_independent(store: Store) -> None:
    """A pusher may lease one subscription while another is leased."""
    store.subscriptions.create(_HOOK, _START)
    store.subscriptions.create(_FILES, _START)
    _take(store.subscriptions)

    assert store.subscriptions.acquire(_FILES.name, _NOW, _LEASE_FOR) is not None


def test_progress_is_there_for_the_next_pusher(store: Store) -> None:
    """Progress is stored, the lease lasts until the given time, and the operator's fields stay."""
    store.subscriptions.create(_HOOK, _START)
    lease = _take(store.subscriptions)

    assert store.subscriptions.save(lease, _FAR, _NOW + 2 * _LEASE_FOR)

    assert store.subscriptions.one(_HOOK.name) == Standing(_HOOK, _FAR)
    assert store.subscriptions.acquire(_HOOK.name, _NOW + _LEASE_FOR, _LEASE_FOR) is None


def test_keeping_until_now_returns_the_lease(store: Store) -> None:
    """The next pusher gets it at once."""
    store.subscriptions.create(_HOOK, _START)
    lease = _take(store.subscriptions)

    store.subscriptions.save(lease, _START, _NOW)

    assert _take(store.subscriptions).token > lease.token


def test_a_lost_lease_cannot_write(store: Store) -> None:
    """A slow pusher moves the position neither back nor forward after another has taken over."""
    store.subscriptions.create(_HOOK, _START)
    slow = _take(store.subscriptions)
    other = _take(store.subscriptions, now=_NOW + _LEASE_FOR)
    store.subscriptions.save(other, _FAR, _NOW + 2 * _LEASE_FOR)

    kept = store.subscriptions.save(slow, _START, _NOW + 3 * _LEASE_FOR, replace(_HOOK, is_paused=True))

    assert not kept
    assert store.subscriptions.one(_HOOK.name) == Standing(_HOOK, _FAR)


def test_an_operator_can_seize_a_lease(store: Store) -> None:
    """After that only the operator can write."""
    store.subscriptions.create(_HOOK, _START)
    pusher = _take(store.subscriptions)

    seized = store.subscriptions.seize(_HOOK.name, _NOW, _LEASE_FOR)
    assert seized is not None

    assert not store.subscriptions.save(pusher, _FAR, _NOW)
    assert store.subscriptions.save(seized, _START, _NOW, replace(_HOOK, is_paused=True))
    assert store.subscriptions.one(_HOOK.name) == Standing(replace(_HOOK, is_paused=True), _START)


def test_a_removed_subscription_is_gone(store: Store) -> None:
    """It is not listed, and its pusher can write nothing, even to a new subscription of that name."""
    store.subscriptions.create(_HOOK, _START)
    pusher = _take(store.subscriptions)

    removed = store.subscriptions.remove(_HOOK.name)

    assert removed
    assert store.subscriptions.all() == []
    assert not store.subscriptions.save(pusher, _FAR, _NOW)
    store.subscriptions.create(_HOOK, _START)
    assert not store.subscriptions.save(pusher, _FAR, _NOW)
    assert _take(store.subscriptions).token > pusher.token
