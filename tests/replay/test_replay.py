"""A recorded history replayed on real Redis, compared with a build from nothing on the way and at the end.

The month is real and not part of this project: name its file in ``SCHEDULES_RECORDED_HISTORY``. The same test
also replays a history of the project's own making, so it is never skipped as a whole.
"""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import orjson
import pytest
from fakes import FakeClock, FakeUpstreams, fake_upstreams
from redis import Redis

from demo.sample import make_sample
from demo.servers import RedisServer
from demo.traffic import Traffic
from schedules_pipeline.composition import Pipeline, Policies
from schedules_pipeline.connections import redis_store
from schedules_pipeline.documents.partner_document import split_document
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.history.recorded import CatalogueUpdated, HistoryEvent, SchedulePut, read_history
from schedules_pipeline.publishing.policy import LossPolicy, PublishingPolicy
from schedules_pipeline.publishing.ports.upstream import Message
from schedules_pipeline.store.link import RedisLink, connect
from schedules_pipeline.upstream.catalogue import RedisCatalogueSource

_POINTS = 4
_BATCH = 50


@dataclass(frozen=True, slots=True)
class World:
    """The upstreams as replayed so far, and two pipelines over them: one follows, one starts from nothing."""

    redis: Redis
    upstreams: FakeUpstreams
    following: Pipeline
    url: str

    def from_nothing(self, number: int) -> Pipeline:
        return _pipeline(self.url, f"scratch{number}", self.upstreams)


_NOTHING_IS_HELD = LossPolicy(smallest_share=0, whole_hours=math.inf, service_hours=math.inf)
"""What a hold leaves depends on the history, as it should."""


@pytest.fixture
def world(redis_server: RedisServer, redis_client: Redis) -> World:
    upstreams = fake_upstreams(FakeClock(), Random(0))
    return World(
        redis_client, upstreams, _pipeline(redis_server.url, "following", upstreams), redis_server.url
    )


def _pipeline(url: str, keyspace: str, upstreams: FakeUpstreams) -> Pipeline:
    link = RedisLink(connect(url))
    mixed = replace(upstreams.as_upstreams(), catalogue_source=RedisCatalogueSource(link, "catalogue:"))
    calendar = BroadcastCalendar(ZoneInfo("Europe/London"), ("*radio*",))
    return Pipeline(
        redis_store(link, keyspace),
        mixed,
        calendar,
        lambda: datetime.now(UTC),
        Policies(PublishingPolicy(_NOTHING_IS_HELD)),
    )


def test_the_recorded_month_ends_in_the_bytes_of_a_build_from_nothing(world: World) -> None:
    """After every quarter of the real month each published schedule is what a from-scratch build gives."""
    path = os.environ.get("SCHEDULES_RECORDED_HISTORY")
    if not path:
        pytest.skip("set SCHEDULES_RECORDED_HISTORY to the file of a recorded history")

    _replay(world, list(read_history(Path(path))))


def test_an_invented_history_ends_in_the_bytes_of_a_build_from_nothing(world: World) -> None:
    """After every quarter of an invented day each published schedule is what a from-scratch build gives."""
    _replay(world, list(_invented_history()))


def _replay(world: World, events: Sequence[HistoryEvent]) -> None:
    """Take every event in through its own notification, and compare at several points."""
    quarter = -(-len(events) // _POINTS)
    for point in range(_POINTS):
        for _, group in groupby(events[point * quarter : (point + 1) * quarter], key=lambda event: event.at):
            _take_in(world, list(group))
        _assert_equal_to_a_build_from_nothing(world, point)
    assert world.following.store.work.backlog().is_empty
    assert not world.following.store.rejections.all()


def _take_in(world: World, events: Sequence[HistoryEvent]) -> None:
    for start in range(0, len(events), _BATCH):
        schedules, catalogue = [], []
        for event in events[start : start + _BATCH]:
            match event:
                case CatalogueUpdated(pid=pid, type=kind):
                    world.redis.set(f"catalogue:{pid}", orjson.dumps(event.document))
                    catalogue.append(_message({"action": "UPDATE", "type": kind, "pid": pid}, event.at))
                case SchedulePut(sid=sid, date=day):
                    key = ScheduleKey(Sid(sid), day)
                    world.upstreams.schedule_source.put(key, orjson.dumps(event.document))
                    schedules.append(_message({"sid": sid, "date": day.isoformat()}, event.at))
        world.following.catalogue_intake.handle(catalogue)
        world.following.schedule_intake.handle(schedules)
        world.following.publisher.publish_all()


def _message(body: dict[str, str], at: datetime) -> Message:
    return Message("recorded", orjson.dumps(body).decode(), at, "", 1)


def _assert_equal_to_a_build_from_nothing(world: World, point: int) -> None:
    keys = sorted(world.upstreams.schedule_source.objects)
    scratch = world.from_nothing(point)
    cause = Cause("scratch", Origin.COLDSTART, "all", datetime.now(UTC))
    scratch.publisher.rebuild_from_sources(keys, cause)

    followed, built = _contents(world.following, keys), _contents(scratch, keys)

    assert followed.keys() == set(keys)
    assert followed == built
    index = world.following.checker.check(keys)
    assert all(
        result.passed for results in index.values() for result in results if result.name == "index_complete"
    )


def _contents(pipeline: Pipeline, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, bytes]:
    documents = pipeline.store.schedules.documents(keys)
    return {key: split_document(document)[1] for key, document in documents.items()}


def _invented_history() -> Iterator[HistoryEvent]:
    """A day of the sample, then three hundred changes to it, each document an event."""
    sample = make_sample(date(2026, 10, 24), days=2)
    now = datetime(2026, 10, 24, 12, tzinfo=UTC)
    for pid, document in sample.catalogue.items():
        yield CatalogueUpdated(now, document, document["type"], pid)
    for (sid, day), document in sample.schedules.items():
        yield SchedulePut(now, document, sid, day)
    traffic = Traffic(sample, Random(7))
    for number in range(300):
        change = traffic.next_change(now)
        at = now + timedelta(seconds=number + 1)
        for pid, document in change.catalogue.items():
            yield CatalogueUpdated(at, document, document["type"], pid)
        for (sid, day), new in change.schedules.items():
            if new is not None:
                yield SchedulePut(at, new, sid, day)
