"""The stores of partners and of their usage, on fakes and Redis alike."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from schedules_pipeline.composition import Store
from schedules_pipeline.partners.partner import RANDOM_BYTES, Partner, issue_key
from schedules_pipeline.partners.ports import NOBODY, USAGE_KEPT_DAYS, UsageKind, UsageLine

_NOW = datetime(2026, 3, 28, 12, 30, 15, 123456, tzinfo=UTC)
_TODAY = _NOW.date()
_KEYS = tuple(issue_key(bytes([n]) * RANDOM_BYTES, _NOW, _NOW + n * timedelta(days=1)).key for n in range(3))
_ACME = Partner("acme", _NOW, ("alder_*", "birch?"), keys=_KEYS)
_SCHEDULES = UsageLine("acme", UsageKind.REQUESTS, "/v1/schedules/{sid}/{date}", "200")
_BYTES = UsageLine("acme", UsageKind.BYTES)
_REJECTED = UsageLine(NOBODY, UsageKind.PROBLEMS, "", "no-key")


def test_an_empty_store_has_no_partners(store: Store) -> None:
    """It has no usage either, of a day or in total."""
    assert store.partners.all() == []
    assert store.partners.unreadable() == []
    assert not store.partners.was_ever_used()
    assert store.partners.one("acme") is None
    assert store.partners.usage(_TODAY) == {}
    assert store.partners.usage_totals() == {}


def test_a_partner_comes_back_as_it_was_entered(store: Store) -> None:
    """Every field is kept, with keys that expire and keys that do not."""
    partner = replace(
        _ACME,
        is_operator=True,
        is_preview=True,
        requests_per_minute=7,
        requests_per_day=8,
        waiting_at_once=0,
        keys=(*_KEYS, issue_key(b"k" * RANDOM_BYTES, _NOW).key),
    )

    created = store.partners.create(partner)

    assert created
    assert store.partners.one("acme") == partner


def test_all_partners_are_listed_by_name(store: Store) -> None:
    """The list is sorted by name."""
    for name in ("willow", "acme", "birch"):
        store.partners.create(Partner(name, _NOW))

    names = [partner.name for partner in store.partners.all()]

    assert names == ["acme", "birch", "willow"]


def test_a_name_is_taken_once(store: Store) -> None:
    """Entering a partner under a taken name changes nothing."""
    store.partners.create(_ACME)

    created = store.partners.create(replace(_ACME, services=("*",)))

    assert not created
    assert store.partners.one("acme") == _ACME


def test_a_repeated_request_has_the_same_answer(store: Store) -> None:
    """A client that lost the reply may repeat an entry or a change."""
    after = replace(_ACME, requests_per_minute=1)

    created = [store.partners.create(_ACME) for _ in range(2)]
    changed = [store.partners.change(_ACME, after) for _ in range(2)]

    assert created == changed == [True, True]
    assert store.partners.one("acme") == after


def test_a_change_of_an_older_record_is_rejected(store: Store) -> None:
    """Of two operators who start from the same record, the second overwrites nothing."""
    store.partners.create(_ACME)
    first, second = replace(_ACME, keys=()), replace(_ACME, is_preview=True)

    changed = [store.partners.change(_ACME, first), store.partners.change(_ACME, second)]

    assert changed == [True, False]
    assert store.partners.one("acme") == first


def test_of_many_operators_at_once_one_succeeds(store: Store) -> None:
    """Of many changes of one record at once, one takes effect and the others are rejected."""
    store.partners.create(_ACME)

    with ThreadPoolExecutor(8) as pool:
        changed = list(
            pool.map(lambda n: store.partners.change(_ACME, replace(_ACME, requests_per_day=n)), range(1, 9))
        )

    assert changed.count(True) == 1


def test_a_removed_partner_cannot_be_changed(store: Store) -> None:
    """A change does not restore a removed partner."""
    store.partners.create(_ACME)
    removed = store.partners.remove("acme")

    changed = store.partners.change(_ACME, replace(_ACME, is_preview=True))

    assert removed
    assert not changed
    assert store.partners.all() == []


def test_an_emptied_store_differs_from_a_lost_one(store: Store) -> None:
    """After the first entry the store is known to be in use, even if every partner is removed."""
    store.partners.create(_ACME)

    store.partners.remove("acme")

    assert store.partners.all() == []
    assert store.partners.unreadable() == []
    assert store.partners.one("acme") is None
    assert store.partners.was_ever_used()


def test_a_removed_name_can_be_entered_again(store: Store) -> None:
    """It is another partner then, with its own keys."""
    store.partners.create(_ACME)
    store.partners.remove("acme")
    anew = replace(_ACME, keys=(), created_at=_NOW + timedelta(days=1))

    assert store.partners.create(anew)
    assert store.partners.one("acme") == anew
    assert not store.partners.change(_ACME, replace(_ACME, is_preview=True))


def test_a_partner_can_be_removed_once(store: Store) -> None:
    """Removing an unknown partner returns False."""
    assert not store.partners.remove("acme")


def test_usage_adds_up(store: Store) -> None:
    """The counts of several calls add up, by day and in total, for each line."""
    store.partners.add_usage(_TODAY, {_SCHEDULES: 2, _BYTES: 4_000_000_000, _REJECTED: 1})
    store.partners.add_usage(_TODAY, {_SCHEDULES: 3})
    store.partners.add_usage(_TODAY + timedelta(days=1), {_SCHEDULES: 10})

    assert store.partners.usage(_TODAY) == {_SCHEDULES: 5, _BYTES: 4_000_000_000, _REJECTED: 1}
    assert store.partners.usage_totals() == {_SCHEDULES: 15, _BYTES: 4_000_000_000, _REJECTED: 1}


def test_empty_usage_is_allowed(store: Store) -> None:
    """An empty count leaves no record."""
    store.partners.add_usage(_TODAY, {})

    assert store.partners.usage(_TODAY) == {}


def test_totals_go_with_their_partner(store: Store) -> None:
    """Removing a partner deletes its totals, and not those of a partner whose name begins alike."""
    other = _SCHEDULES._replace(partner="acme-two")
    store.partners.create(_ACME)
    store.partners.add_usage(_TODAY, {_SCHEDULES: 1, _BYTES: 5, other: 2})

    store.partners.remove("acme")

    assert store.partners.usage_totals() == {other: 2}
    assert store.partners.usage(_TODAY)[_SCHEDULES] == 1


def test_the_usage_of_a_day_expires(store: Store, pass_time: Callable[[timedelta], None]) -> None:
    """A day expires some days after its last count; the totals stay."""
    store.partners.add_usage(date(2026, 3, 28), {_SCHEDULES: 1})

    pass_time(timedelta(days=USAGE_KEPT_DAYS - 1))
    before = store.partners.usage(date(2026, 3, 28))
    pass_time(timedelta(days=1))
    after = store.partners.usage(date(2026, 3, 28))

    assert before == {_SCHEDULES: 1}
    assert after == {}
    assert store.partners.usage_totals() == {_SCHEDULES: 1}
