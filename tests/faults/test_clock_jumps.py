"""Workers with wrong clocks, on a real Redis: being early is harmless, and being late ends soon."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle
from random import Random
from threading import Lock

import pytest
from fakes import FakeClock, FakeUpstreams, fake_upstreams
from redis import Redis
from workers import (
    Server,
    Workers,
    assert_announced_once,
    build_everything,
    contents,
    load_sample,
    pipeline_on,
    write_item,
)

from demo.sample import Sample
from demo.servers import RedisServer
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import utc_now
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.publishing import publish
from schedules_pipeline.publishing.ports.work import Claim, Failure, Mark

pytestmark = pytest.mark.xdist_group("faults")

_KEYSPACE = "clocks"
_HOUR = timedelta(hours=1)
_CHANGES = 40
_LONGEST_PAUSE = timedelta(minutes=10)


@pytest.fixture
def server(redis_server: RedisServer, redis_client: Redis) -> Server:
    """The Redis of the test run, empty."""
    return Server(redis_server.url, is_cluster=False)


def test_a_worker_an_hour_ahead_that_died_holds_nothing_longer_than_a_lease(server: Server) -> None:
    """By its own clock its lease ends in an hour; other workers end it like one that begins now."""
    clock, pipeline, keys = _prepared(server)
    _mark(pipeline, keys)

    assert _claim(pipeline, clock() + _HOUR) is not None
    assert pipeline.publisher.publish_next() is None
    clock.advance(publish.LEASE_FOR + timedelta(seconds=1))

    assert [batch.built for batch in pipeline.publisher.publish_all()] != []
    assert pipeline.store.work.backlog().is_empty


def test_a_retry_that_was_put_off_by_a_clock_an_hour_ahead_comes_within_the_longest_pause(
    server: Server,
) -> None:
    """A retry that is due in more than the longest pause is due after that pause."""
    clock, pipeline, keys = _prepared(server)
    _mark(pipeline, keys)
    claim = _claim(pipeline, clock() + _HOUR)
    assert claim is not None
    failures = {work.key: Failure("a test", clock() + _HOUR) for work in claim.work}
    pipeline.store.work.postpone(claim, failures, counts=False)

    assert pipeline.publisher.publish_next() is None
    clock.advance(_LONGEST_PAUSE + timedelta(seconds=1))

    assert [batch.built for batch in pipeline.publisher.publish_all()] != []
    assert pipeline.store.work.backlog().is_empty


class Jumping:
    """A clock that is an hour early, an hour late and right by turns."""

    def __init__(self) -> None:
        self._offsets = cycle([timedelta(0)] * 5 + [_HOUR] * 5 + [-_HOUR] * 5)
        self._lock = Lock()

    def __call__(self) -> datetime:
        with self._lock:
            return utc_now() + next(self._offsets)


@pytest.mark.parametrize(
    "wrong",
    [lambda: utc_now() + _HOUR, lambda: utc_now() - _HOUR, Jumping()],
    ids=["an hour ahead", "an hour behind", "jumping"],
)
def test_a_worker_whose_clock_is_wrong_only_costs_double_work(
    server: Server, wrong: Callable[[], datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes schedules that another worker is building; the result equals a build from nothing."""
    monkeypatch.setattr(publish, "LEASE_FOR", timedelta(seconds=1))
    source = fake_upstreams(FakeClock(), Random(0))
    sample, keys = load_sample(server, source)
    follower = pipeline_on(server, _KEYSPACE, source)
    build_everything(follower, keys)
    workers = Workers()
    workers.publisher(pipeline_on(server, _KEYSPACE, source))
    workers.publisher(pipeline_on(server, _KEYSPACE, source, wrong))
    wrong_follower = pipeline_on(server, _KEYSPACE, source, wrong)

    with workers:
        _change(server, [follower, wrong_follower], sample)

    scratch = pipeline_on(server, "scratch of clocks", source)
    build_everything(scratch, keys)
    assert follower.store.work.quarantined() == {}
    assert contents(follower, keys) == contents(scratch, keys)
    assert_announced_once(follower)


def _prepared(server: Server) -> tuple[FakeClock, Pipeline, list[ScheduleKey]]:
    clock = FakeClock(datetime.now(UTC))
    source: FakeUpstreams = fake_upstreams(clock, Random(0))
    _, keys = load_sample(server, source)
    pipeline = pipeline_on(server, _KEYSPACE, source, clock)
    build_everything(pipeline, keys)
    return clock, pipeline, keys


def _mark(pipeline: Pipeline, keys: Sequence[ScheduleKey]) -> None:
    cause = Cause("a test", Origin.OPERATOR, "", pipeline.clock())
    pipeline.store.work.mark([Mark(key, pipeline.clock(), cause) for key in keys])


def _claim(pipeline: Pipeline, now: datetime) -> Claim | None:
    """Claim everything, as a worker with this clock."""
    return pipeline.store.work.claim(300, now, publish.LEASE_FOR)


def _change(server: Server, followers: Sequence[Pipeline], sample: Sample) -> None:
    """Give brands new titles, which the two followers notice by turns."""
    brands = [item for item in sample.catalogue.values() if item["type"] == "brand"]
    random, catalogue = Random(1), server.link()
    for number in range(_CHANGES):
        brand = random.choice(brands)
        catalogue.run([write_item({**brand, "title": f"Title {number}"})])
        follower = followers[number % len(followers)]
        cause = Cause(f"change {number}", Origin.CATALOGUE, brand["pid"], follower.clock())
        follower.follower.follow({Pid(brand["pid"]): cause})
