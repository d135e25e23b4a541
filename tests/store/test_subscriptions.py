"""Stored subscriptions keep the member names of release 0.1.0."""

from datetime import UTC, datetime

import orjson
import pytest
from redis import Redis

from schedules_pipeline.push.subscription import Progress, Quarantine, Subscription, SubscriptionKind
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink
from schedules_pipeline.store.subscriptions import RedisSubscriptionStore

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_HOOK = Subscription("hook", "harbour", SubscriptionKind.WEBHOOK, "https://push.example.org/in", _NOW)
_KEYS = Keys("stored")


@pytest.fixture
def store(redis_client: Redis) -> RedisSubscriptionStore:
    return RedisSubscriptionStore(RedisLink(redis_client), _KEYS)


def test_a_quarantine_is_stored_as_set_aside(store: RedisSubscriptionStore, redis_client: Redis) -> None:
    """A process of 0.1.0 reads the member."""
    store.create(_HOOK, Progress("7-0", "life").quarantined("gone", _NOW))

    (stored,) = redis_client.hvals(_KEYS.delivery("push_progress"))

    assert orjson.loads(stored)["set_aside"] == {"since": "2026-03-28T12:00:00Z", "reason": "gone"}


def test_a_quarantine_of_an_older_process_is_read(store: RedisSubscriptionStore, redis_client: Redis) -> None:
    """The member of 0.1.0 becomes the quarantine."""
    store.create(_HOOK, Progress("7-0", "life"))
    old = {
        "position": "7-0",
        "epoch": "life",
        "set_aside": {"since": "2026-03-28T12:00:00Z", "reason": "gone"},
    }
    redis_client.hset(_KEYS.delivery("push_progress"), "hook", orjson.dumps(old))

    standing = store.one("hook")

    assert standing is not None
    assert standing.progress.quarantine == Quarantine(_NOW, "gone")
