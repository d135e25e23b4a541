"""The threads of a publisher that receive from the queues."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial, reduce
from itertools import count
from operator import add
from pathlib import Path
from random import Random
from threading import Event

import dagster as dg
import orjson
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, SensorInstigatorData
from dagster_stage import DagsterStage
from fakes import Conditions, FakeClock, fake_store, fake_upstreams, pipeline_over
from fakes.upstream import VISIBLE_AGAIN_AFTER

from schedules_pipeline.assets import names
from schedules_pipeline.domain.dependencies import Entry
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.health.ports import QueueName
from schedules_pipeline.jobs.observations import report
from schedules_pipeline.jobs.receiving import Received, intakes, may_receive, receive_once
from schedules_pipeline.jobs.receiving_threads import ReceivingThreads
from schedules_pipeline.jobs.switches import FollowedSwitches
from schedules_pipeline.publishing.ports.upstream import Message

_KEY = ScheduleKey.parse("alder_one/2026-03-28")
_BODY = orjson.dumps({"sid": "alder_one", "date": "2026-03-28"}).decode()
_PATIENCE_SECONDS = 30.0


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with dg.DagsterInstance.from_config(str(tmp_path)) as made:
        yield made


@pytest.fixture
def stage(instance: dg.DagsterInstance) -> DagsterStage:
    return DagsterStage(instance)


@contextmanager
def _receiving(stage: DagsterStage) -> Iterator[None]:
    """As a publisher does."""
    threads = ReceivingThreads(stage.pipeline, "a run", partial(report, stage.instance))
    with closing(threads), FollowedSwitches(stage.instance, threads.leave_off):
        threads.keep_up()
        yield


def _until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.01)


def _switch(stage: DagsterStage, sensor: str, status: InstigatorStatus) -> None:
    location = GrpcServerCodeLocationOrigin("127.0.0.1", 4000)
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "__repository__"), sensor)
    state = InstigatorState(origin, InstigatorType.SENSOR, status, SensorInstigatorData(min_interval=1))
    known = [each for each in stage.instance.all_instigator_state() if each.instigator_name == sensor]
    if known:
        stage.instance.update_instigator_state(state)
    else:
        stage.instance.add_instigator_state(state)


def test_messages_are_marked_and_deleted_without_a_sensor(stage: DagsterStage) -> None:
    """A publisher receives by itself, and so long it is announced, so that no sensor receives."""
    polls = stage.store.queue_polls
    with _receiving(stage):
        stage.upstreams.schedule_queue.post(_BODY)
        _until(stage.upstreams.schedule_queue.is_empty)
        _until(lambda: all(polls.has_receiver(queue) for queue in QueueName))

    assert stage.store.work.backlog().pending == 1
    assert not any(polls.has_receiver(queue) for queue in QueueName)


def test_a_rejected_message_is_shown_as_by_a_sensor(stage: DagsterStage) -> None:
    """It is stored with its reason, sent to the dead letters, and observed at the queue's asset at the latest when
    the publisher ends.
    """
    stage.upstreams.schedule_queue.post("not json")
    with _receiving(stage):
        _until(stage.upstreams.schedule_queue.is_empty)

    records = stage.instance.fetch_observations(names.SCHEDULE_EVENTS, limit=5).records
    assert len(records) == 1
    observation = records[0].asset_observation
    assert observation is not None
    assert "not JSON" in str(observation.metadata["rejected"].value)
    assert [each.excerpt for each in stage.store.rejections.all().values()] == ["not json"]
    assert stage.upstreams.schedule_dead_letters.has_visible()


def test_a_sensor_that_is_switched_off_switches_its_queue_off(stage: DagsterStage) -> None:
    """The other queue is received from, and this one again when the operator switches its sensor on."""
    _switch(stage, "schedule_events", InstigatorStatus.STOPPED)
    stage.upstreams.schedule_queue.post(_BODY)
    with _receiving(stage):
        stage.upstreams.catalogue_queue.post("not json")
        _until(stage.upstreams.catalogue_queue.is_empty)
        is_left = stage.upstreams.schedule_queue.has_visible()
        has_receiver = stage.store.queue_polls.has_receiver(QueueName.SCHEDULE_EVENTS)
        _switch(stage, "schedule_events", InstigatorStatus.RUNNING)
        _until(stage.upstreams.schedule_queue.is_empty)

    assert is_left
    assert not has_receiver


def test_what_cannot_be_handled_is_left_to_the_sensor(
    stage: DagsterStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect would repeat itself unseen, so the sensor receives, whose failed tick Dagster shows."""
    polls = stage.store.queue_polls

    def fail(messages: Sequence[Message]) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(stage.pipeline.schedule_intake, "handle", fail)
    with _receiving(stage):
        _until(lambda: polls.has_receiver(QueueName.SCHEDULE_EVENTS))
        stage.upstreams.schedule_queue.post(_BODY)
        _until(lambda: not polls.has_receiver(QueueName.SCHEDULE_EVENTS))
        goes_on = polls.has_receiver(QueueName.CATALOGUE_EVENTS)

    assert not stage.upstreams.schedule_queue.is_empty()
    assert goes_on


def test_a_paused_intake_leaves_messages_in_their_queue(
    stage: DagsterStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A coldstart pauses publishers as it pauses sensors."""
    monkeypatch.setattr(stage.store.coldstarts, "intake_is_paused", lambda: True)
    stage.upstreams.schedule_queue.post(_BODY)
    with _receiving(stage):
        _until(lambda: stage.store.queue_polls.has_receiver(QueueName.SCHEDULE_EVENTS))

    assert stage.upstreams.schedule_queue.has_visible()


def test_a_publisher_that_leaves_is_announced_no_more(
    stage: DagsterStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by a thread either that was about to announce itself: a sensor receives at once."""
    polls = stage.store.queue_polls
    announce, is_about_to, may_announce = polls.announce_receiver, Event(), Event()

    def announce_late(queue: QueueName, seconds: int) -> None:
        is_about_to.set()
        may_announce.wait(60)
        announce(queue, seconds)

    monkeypatch.setattr(polls, "announce_receiver", announce_late)
    threads = ReceivingThreads(stage.pipeline, "a run", partial(report, stage.instance))
    threads.keep_up()
    assert is_about_to.wait(60)
    threads.dismiss()
    may_announce.set()
    threads.stop(60)

    assert not any(polls.has_receiver(queue) for queue in QueueName)


def test_what_is_not_yet_shown_stays_small() -> None:
    """Numbers are added, and of rejected messages the first twenty reasons are kept, however many come."""
    each = Received(2, 1, {"rejected": 1}, {"item": 1}, 1, {})

    total = reduce(add, [replace(each, reasons={str(number): "why"}) for number in range(30)])

    assert replace(total, reasons={}) == Received(60, 30, {"rejected": 30}, {"item": 30}, 30, {})
    assert list(total.reasons) == [str(number) for number in range(20)]


class _DeathError(BaseException):
    """The process ends."""


class _DiesAtStep(Conditions):
    def __init__(self, step: int) -> None:
        self.left = step
        self.is_armed = False

    def checkpoint(self, step: str, about: Sequence[object] = ()) -> None:
        if self.is_armed:
            self.left -= 1
            if self.left < 0:
                raise _DeathError(step)


_ITEM = Pid("b00000001")
_ON_ITS_QUEUE = {
    QueueName.SCHEDULE_EVENTS: _BODY,
    QueueName.CATALOGUE_EVENTS: orjson.dumps({"pid": _ITEM, "action": "update"}).decode(),
}


@pytest.mark.parametrize("name", list(QueueName))
def test_a_publisher_that_dies_at_any_step_of_receiving_loses_nothing(name: QueueName) -> None:
    """Between marks and deletion, or at any other step: the schedule is marked, or its message comes back, which marks
    it if it was not.
    """
    for step in count():
        conditions, clock = _DiesAtStep(step), FakeClock()
        store, upstreams = fake_store(clock, conditions), fake_upstreams(clock, Random(step), conditions)
        pipeline = pipeline_over(store.as_store(), upstreams, clock)
        upstreams.catalogue_source.documents[_ITEM] = orjson.dumps(
            {"pid": _ITEM, "type": "episode", "title": "Harbour Lights"}
        )
        store.references.register({_KEY: {Entry(_ITEM)}}, 1)
        queue = {
            QueueName.SCHEDULE_EVENTS: upstreams.schedule_queue,
            QueueName.CATALOGUE_EVENTS: upstreams.catalogue_queue,
        }[name]
        queue.post(_ON_ITS_QUEUE[name])
        conditions.is_armed = True
        try:
            may_receive(pipeline)
            receive_once(intakes(pipeline)[name], 1)
        except _DeathError:
            conditions.is_armed = False
        else:
            break
        assert store.work.backlog().pending == 1 or not queue.is_empty()
        clock.advance(VISIBLE_AGAIN_AFTER)
        receive_once(intakes(pipeline)[name], 1)
        assert store.work.backlog().pending == 1
        assert queue.is_empty()
    assert step > 5
    conditions.is_armed = False
    assert store.work.backlog().pending == 1
    assert queue.is_empty()
