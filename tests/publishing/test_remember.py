"""What a publisher decodes before it is asked to build."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import orjson
from toy_world import World

from schedules_pipeline.documents.accepted_schedule import parse_accepted
from schedules_pipeline.domain.causes import Origin
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.publishing.ports.work import Mark
from schedules_pipeline.publishing.remember import remember_in_steps

_KEYS = [ScheduleKey(Sid("alder_one"), date(2026, 3, day)) for day in range(1, 16)]


def _source(key: ScheduleKey) -> bytes:
    start = datetime(key.date.year, key.date.month, key.date.day, 12, tzinfo=UTC)
    broadcast = {
        "broadcast_pid": "p00000001",
        "episode_pid": f"b000000{key.date.day:02}",
        "start": start.isoformat(),
        "end": (start + timedelta(hours=1)).isoformat(),
    }
    document = {"sid": str(key.sid), "date": key.date.isoformat(), "published_at": start.isoformat()}
    return orjson.dumps({**document, "broadcasts": [broadcast]})


def _world() -> World:
    """Fifteen schedules are published, and nothing of them is remembered."""
    world = World()
    for key in _KEYS:
        world.upstreams.schedule_source.put(key, _source(key))
    world.store.schedules.count_source_change(_KEYS)
    _publish(world)
    parse_accepted.cache_clear()
    return world


def _publish(world: World) -> None:
    world.store.work.mark([Mark(key, world.clock(), world.cause(Origin.CATALOGUE)) for key in _KEYS])
    world.pipeline.publisher.publish_all()


def test_a_build_decodes_nothing_that_was_decoded_before() -> None:
    """After as many steps as there are tens of schedules, no source is decoded again."""
    world = _world()

    steps = sum(remember_in_steps(world.pipeline.store))
    decoded = parse_accepted.cache_info().misses
    _publish(world)

    assert steps == 2
    assert decoded == len(_KEYS)
    assert parse_accepted.cache_info().misses == decoded


def test_a_damaged_record_ends_nothing() -> None:
    """It is a build that reports it; the other schedules are decoded."""
    world = _world()
    kept = world.store.schedules.kept[_KEYS[0]]
    kept.state = replace(kept.state, accepted=b"damaged")

    assert sum(remember_in_steps(world.pipeline.store)) == 2
    assert parse_accepted.cache_info().currsize == len(_KEYS[10:])
