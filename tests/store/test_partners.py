"""Partner records that another release wrote, or that are damaged."""

import json
from datetime import UTC, datetime

import pytest
from redis import Redis

from demo.servers import RedisServer
from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.partners.ports import UsageKind, UsageLine
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink, connect
from schedules_pipeline.store.partners import RedisPartnerStore

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_ACME = Partner("acme", _NOW)
_KEYS = Keys("partners")
_WRONG = [
    b" ",
    b"\xff",
    b"[]",
    b'{"name": "birch"}',
    b'{"name": "birch", "created_at": "2026-03-28T12:00:00Z", "requests_per_minute": 0}',
    b'{"name": "birch", "created_at": "2026-03-28T12:00:00"}',
    b'{"name": "acme", "created_at": "2026-03-28T12:00:00Z"}',
]


@pytest.fixture
def book(redis_server: RedisServer, redis_client: Redis) -> RedisPartnerStore:
    """A store with one partner."""
    made = RedisPartnerStore(RedisLink(connect(redis_server.url)), _KEYS)
    made.create(_ACME)
    return made


@pytest.mark.parametrize("record", _WRONG)
def test_a_damaged_record_affects_no_other_partner(
    book: RedisPartnerStore, redis_client: Redis, record: bytes
) -> None:
    """A damaged record is left out of lists and named, its error does not quote it, and it can be removed."""
    redis_client.hset(_KEYS.delivery("partners"), "birch", record)

    assert book.all() == [_ACME]
    assert book.unreadable() == ["birch"]
    with pytest.raises(InvalidRecord, match="birch") as caught:
        book.one("birch")
    assert "2026" not in str(caught.value)
    assert book.remove("birch")
    assert book.unreadable() == []


def test_removed_partners_leave_one_empty_record(book: RedisPartnerStore, redis_client: Redis) -> None:
    """However many are created and removed, the store does not grow, and is known to have been in use."""
    for number in range(50):
        book.create(Partner(f"partner-{number}", _NOW))
        book.remove(f"partner-{number}")

    assert redis_client.hlen(_KEYS.delivery("partners")) == 2
    assert book.create(Partner("partner-7", _NOW))
    assert book.was_ever_used()


def test_a_record_of_a_later_version_is_read_and_changed(
    book: RedisPartnerStore, redis_client: Redis
) -> None:
    """Unknown fields are ignored, and missing ones have their defaults."""
    record = {"name": "birch", "created_at": "2026-03-28T12:00:00Z", "to_come": 1}
    redis_client.hset(_KEYS.delivery("partners"), "birch", json.dumps(record))
    birch = Partner("birch", _NOW)

    changed = book.change(birch, Partner("birch", _NOW, is_preview=True))

    assert changed
    assert book.one("birch") == Partner("birch", _NOW, is_preview=True)


def test_what_a_later_version_counts_does_not_stop_this_one(
    book: RedisPartnerStore, redis_client: Redis
) -> None:
    """Unknown kinds of usage are left out."""
    line = UsageLine("acme", UsageKind.BYTES)
    book.add_usage(_NOW.date(), {line: 1})
    redis_client.hset(_KEYS.delivery("usage"), "acme pushes  200", 4)

    assert book.usage_totals() == {line: 1}
