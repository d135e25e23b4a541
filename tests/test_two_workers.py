"""Two publishers, each with a connection of its own, on the same schedules of one real Redis while items change."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from random import Random
from threading import Event, Thread
from zoneinfo import ZoneInfo

import orjson
from fakes import FakeClock, FakeUpstreams, fake_upstreams
from redis import Redis

from schedules_pipeline.adapters.redis.copies import RedisCatalogueSource
from schedules_pipeline.adapters.redis.link import RedisLink, connect
from schedules_pipeline.composition import Pipeline, Upstreams, redis_store
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.formats.partner_document import split_document
from schedules_pipeline.local.sample import make_sample
from schedules_pipeline.local.servers import RedisServer
from schedules_pipeline.ports.work import Cause, Origin

_CHANGES = 60


def _now() -> datetime:
    return datetime.now(UTC)


def _pipeline(url: str, keyspace: str, source: FakeUpstreams) -> Pipeline:
    link = RedisLink(connect(url))
    upstreams = Upstreams(
        source.schedule_source,
        RedisCatalogueSource(link, "catalogue:"),
        source.schedule_queue,
        source.catalogue_queue,
        source.legacy,
        source.schedule_dead_letters,
        source.catalogue_dead_letters,
    )
    calendar = BroadcastCalendar(ZoneInfo("Europe/London"), ("*radio*",))
    return Pipeline(redis_store(link, keyspace), upstreams, calendar, _now, smallest_share=0.5)


def _publish_until(pipeline: Pipeline, is_over: Event, errors: list[Exception]) -> None:
    try:
        while not is_over.is_set() or not pipeline.store.work.backlog().is_empty:
            if pipeline.publisher.publish_next(5) is None:
                pipeline.store.work.wait(0.05)
    except Exception as error:  # noqa: BLE001 - told to the test's own thread
        errors.append(error)


def test_two_publishers_and_a_stream_of_changes_end_in_a_build_from_nothing(
    redis_server: RedisServer, redis_client: Redis
) -> None:
    """Whoever wins each schedule, all published documents end as a from-scratch build has them, announced once."""
    sample = make_sample(date(2026, 6, 1), days=1, clock_change_days=False)
    source = fake_upstreams(FakeClock(), Random(0))
    keys = [ScheduleKey(Sid(sid), day) for sid, day in sample.schedules]
    for key, document in zip(keys, sample.schedules.values(), strict=True):
        source.schedule_source.put(key, orjson.dumps(document))
    for pid, document in sample.catalogue.items():
        redis_client.set(f"catalogue:{pid}", orjson.dumps(document))
    follower = _pipeline(redis_server.url, "shared", source)
    follower.publisher.rebuild_from_sources(keys, Cause("opening", Origin.COLDSTART, "all", _now()))
    is_over, errors = Event(), list[Exception]()
    publishers = [
        Thread(target=_publish_until, args=(_pipeline(redis_server.url, "shared", source), is_over, errors))
        for _ in range(2)
    ]

    for publisher in publishers:
        publisher.start()
    brands = [pid for pid, item in sample.catalogue.items() if item["type"] == "brand"]
    random = Random(1)
    for number in range(_CHANGES):
        pid = random.choice(brands)
        redis_client.set(
            f"catalogue:{pid}", orjson.dumps({**sample.catalogue[pid], "title": f"Title {number}"})
        )
        cause = Cause(f"change {number}", Origin.CATALOGUE, pid, _now())
        follower.follower.follow({Pid(pid): cause})
    is_over.set()
    for publisher in publishers:
        publisher.join(60)

    scratch = _pipeline(redis_server.url, "scratch", source)
    scratch.publisher.rebuild_from_sources(keys, Cause("scratch", Origin.COLDSTART, "all", _now()))
    assert errors == []
    assert _contents(follower, keys) == _contents(scratch, keys)
    _assert_announced_once(follower)


def _contents(pipeline: Pipeline, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, bytes]:
    documents = pipeline.store.schedules.documents(keys)
    return {key: split_document(document)[1] for key, document in documents.items()}


def _assert_announced_once(pipeline: Pipeline) -> None:
    """Each schedule's rows are numbered without a gap or a repetition, and end with what is published."""
    last: dict[ScheduleKey, int] = {}
    for entry in pipeline.store.feed.read_after("0", 100_000):
        assert entry.change.seq == last.get(entry.change.key, 0) + 1
        last[entry.change.key] = entry.change.seq
    assert last == {key: change.seq for key, change in pipeline.store.feed.heads().items()}
    assert max(last.values()) > 1
