"""The old system's keyspace, which we do not own: anything may stand in it."""

from redis import Redis

from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.store.link import RedisLink
from schedules_pipeline.upstream.legacy import RedisLegacyKeyspace

_KEY = ScheduleKey.parse("alder/2026-03-28")


def test_keys_of_other_names_are_passed_over(redis_client: Redis) -> None:
    """A key that names no schedule, or is no text at all, does not hide those that do."""
    for name in (b"legacy:alder/2026-03-28", b"legacy:a/b", b"legacy:\xff/\xfe", b"legacy:refreshed_at/x"):
        redis_client.set(name, b"{}")

    listed = list(RedisLegacyKeyspace(RedisLink(redis_client), "legacy:").list_keys())

    assert listed == [_KEY]
