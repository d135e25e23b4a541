"""One record of one schedule cannot be decoded: everything else goes on, and the next document mends it."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import cast

import pytest
from damage import KEY, KEYS
from fakes import FakeClock, FakeUpstreams, fake_upstreams, pipeline_over
from redis import Redis
from toy_world import BROADCASTS, SchedulePut, Slot

from demo.servers import RedisServer
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import redis_store
from schedules_pipeline.documents.stored_form import decompress
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.health.gather import gather_facts
from schedules_pipeline.publishing.intake import ingest
from schedules_pipeline.publishing.ports.losses import HoldReason
from schedules_pipeline.store.keys import Keys
from schedules_pipeline.store.link import RedisLink, connect

_KEYS = Keys("damaged")
_DAMAGED = b'{"damaged'


class Stage:
    """Two published schedules."""

    def __init__(
        self, pipeline: Pipeline, upstreams: FakeUpstreams, clock: FakeClock, redis_client: Redis
    ) -> None:
        self.pipeline, self.store, self.redis = pipeline, pipeline.store, redis_client
        self.upstreams, self.clock = upstreams, clock
        for key in KEYS:
            self.put(key, minutes=0)
        self.work()

    def put(self, key: ScheduleKey, minutes: int, slots: int = 4) -> None:
        change = SchedulePut(key, tuple(Slot(pid, None) for pid in BROADCASTS[:slots]), minutes)
        change.write(self.upstreams)
        change.announce(self.upstreams)

    def work(self) -> None:
        """As publishers do, which go on after an error, until nothing is pending."""
        queue = self.upstreams.schedule_queue
        while ingest(queue, self.pipeline.schedule_intake.handle, 0).received:
            pass
        for _ in range(60):
            # After a failure the schedules wait for their next attempt.
            with suppress(Exception):
                self.pipeline.publisher.publish_all()
            if self.store.work.backlog().is_empty:
                return
            self.clock.advance(timedelta(seconds=60))
        raise AssertionError("work is still pending")

    def begins(self) -> dict[ScheduleKey, str]:
        """The minute at which the first broadcast of each published schedule starts."""
        documents = self.store.schedules.documents(KEYS)
        return {key: text.decode().partition('"start":"')[2][14:16] for key, text in documents.items()}


@pytest.fixture
def stage(redis_client: Redis, redis_server: RedisServer) -> Iterator[Stage]:
    clock = FakeClock()
    upstreams = fake_upstreams(clock, Random(0))
    with connect(redis_server.url) as own:
        store = redis_store(RedisLink(own), _KEYS.keyspace)
        yield Stage(pipeline_over(store, upstreams, clock), upstreams, clock, redis_client)


def _break_slot(redis_client: Redis) -> None:
    accepted = decompress(cast("bytes", redis_client.hget(_KEYS.state(KEY), "accepted")))
    *lines, _ = accepted.split(b"\n")
    redis_client.hset(_KEYS.state(KEY), "accepted", b"\n".join([*lines, _DAMAGED]))


def _break(name: str, field: object) -> Callable[[Redis], object]:
    return lambda client: client.hset(name, str(field), _DAMAGED)


def _break_rejection(client: Redis) -> None:
    client.hset(_KEYS.journal("refused"), str(KEY), _DAMAGED)
    client.zadd(_KEYS.journal("rejections_by_age"), {str(KEY): 2e11})


_DAMAGES: dict[str, Callable[[Redis], object]] = {
    "coverage": _break(_KEYS.state(KEY), "covered"),
    "slot": _break_slot,
    "hold": _break(_KEYS.losses("holds"), KEY),
    "decision": _break(_KEYS.losses("decisions"), KEY),
    "rejection": _break_rejection,
    "expectation": _break(_KEYS.journal("expectations"), KEY.sid),
    "cause": lambda client: client.hset(_KEYS.work("causes"), str(KEY), b"1\n" + _DAMAGED),
    "head": _break(_KEYS.feed("heads"), KEY),
    "comparison": _break(_KEYS.journal("comparisons"), KEY),
}


each_damage = pytest.mark.parametrize("damage", _DAMAGES)


@each_damage
def test_new_documents_are_published(stage: Stage, damage: str) -> None:
    """Neither the schedule itself nor the one beside it in the batch is quarantined."""
    _DAMAGES[damage](stage.redis)

    for key in KEYS:
        stage.put(key, minutes=5)
    stage.work()

    assert stage.begins() == dict.fromkeys(KEYS, "05")
    assert stage.store.work.quarantined() == {}
    assert stage.store.losses.holds() == {}
    assert stage.store.rejections.all() == {}


@each_damage
def test_reconciliation_compares_and_mends_everything(stage: Stage, damage: str) -> None:
    """One record does not end it, and afterwards nothing differs."""
    _DAMAGES[damage](stage.redis)

    first, second = stage.pipeline.reconciler.reconcile(), stage.pipeline.reconciler.reconcile()

    assert (first.problem, second.problem, second.counts["differed"]) == ("", "", 0)


@each_damage
def test_operators_see_the_others(stage: Stage, damage: str) -> None:
    """Conditions, holds and rejections are still listed, and a collection still collects."""
    _DAMAGES[damage](stage.redis)

    gather_facts(stage.store, stage.upstreams.as_upstreams(), stage.clock())

    assert stage.pipeline.collector.collect().problem == ""


@pytest.mark.parametrize("damage", ["hold", "decision"])
def test_a_hold_that_cannot_be_decoded_waits_for_an_operator(stage: Stage, damage: str) -> None:
    """What it held back is not published by a later build, and the operator decides as about any other."""
    _DAMAGES[damage](stage.redis)
    listed = stage.pipeline.holds.list()
    stage.put(KEY, minutes=5, slots=3)
    stage.work()
    kept = stage.begins()[KEY]

    stage.pipeline.holds.confirm(
        stage.pipeline.holds.find(str(KEY)), Cause("x", Origin.OPERATOR, "", stage.clock())
    )

    assert [(each.id, each.reason, each.verdict) for each in listed] == [(str(KEY), HoldReason.BUDGET, None)]
    assert (kept, stage.begins()[KEY]) == ("00", "05")
    assert stage.pipeline.holds.list() == []


@pytest.mark.parametrize("damage", ["hold", "decision"])
def test_a_hold_of_nothing_that_cannot_be_decoded_ends(stage: Stage, damage: str) -> None:
    """The sensor that has holds judged again mends it without a new document."""
    _DAMAGES[damage](stage.redis)

    stage.pipeline.holds.revisit("again")
    stage.work()

    assert stage.pipeline.holds.list() == []


def test_a_rejection_that_cannot_be_decoded_is_listed(stage: Stage) -> None:
    """It says what to do."""
    _DAMAGES["rejection"](stage.redis)

    assert "cannot be decoded" in stage.store.rejections.all()[str(KEY)].reason
