"""What one tick of a queue's sensor does, over fakes."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import cast

import dagster as dg
import orjson
import pytest
import structlog
from fakes import FakeClock, FakeStore, FakeUpstreams, fake_store, fake_upstreams, pipeline_over
from pydantic import SecretStr

from schedules_pipeline.assets import names
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.identifiers import Pid
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.health.ports import QueueName
from schedules_pipeline.jobs.observations import observations
from schedules_pipeline.jobs.publish_affected import JOB_NAME
from schedules_pipeline.jobs.receiving import summarise
from schedules_pipeline.publishing.intake import IngestResult
from schedules_pipeline.publishing.ports.rejections import Rejection
from schedules_pipeline.publishing.ports.upstream import Message, QueueDepth
from schedules_pipeline.sensors.queue_events import catalogue_events_sensor, schedule_events_sensor
from schedules_pipeline.sensors.receiving import EVENT_TAG
from schedules_pipeline.settings import Settings

_SETTINGS = Settings(
    redis_url=SecretStr("redis://redis.test/0"), sensor_tick_seconds=1.0, publisher_linger_seconds=300
)


class Stage:
    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.clock = FakeClock()
        self.store: FakeStore = fake_store(self.clock)
        self.upstreams: FakeUpstreams = fake_upstreams(self.clock, Random(0))
        self.pipeline: Pipeline = pipeline_over(self.store.as_store(), self.upstreams, self.clock)

    def tick(self, sensor: dg.SensorDefinition) -> dg.SensorResult:
        context = dg.build_sensor_context(instance=self.instance, resources={"pipeline": self.pipeline})
        result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        return result


@pytest.fixture
def stage() -> Iterator[Stage]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Stage(instance)


def _schedule_message() -> str:
    return orjson.dumps({"sid": "alder_one", "date": "2026-03-28"}).decode()


def test_a_message_starts_a_publisher_where_there_is_none(stage: Stage) -> None:
    """The first message marks its schedule, is deleted, and asks for one run of the publisher."""
    stage.upstreams.schedule_queue.post(_schedule_message())

    result = stage.tick(schedule_events_sensor(_SETTINGS))

    assert [request.job_name for request in result.run_requests or ()] == [JOB_NAME]
    assert stage.store.work.backlog().pending == 1
    assert stage.upstreams.schedule_queue.depth() == QueueDepth(0, 0)


def test_a_publisher_at_work_is_not_joined_by_another(stage: Stage) -> None:
    """While a publisher is present the sensor only receives."""
    stage.store.presence.renew("a run", 3600)
    stage.upstreams.schedule_queue.post(_schedule_message())

    result = stage.tick(schedule_events_sensor(_SETTINGS))

    assert not result.run_requests
    assert stage.store.work.backlog().pending == 1


def test_of_two_sensors_only_one_starts_a_publisher(stage: Stage) -> None:
    """The publisher's place is reserved, so the other sensor requests no run."""
    stage.upstreams.schedule_queue.post(_schedule_message())
    stage.tick(schedule_events_sensor(_SETTINGS))

    result = stage.tick(catalogue_events_sensor(_SETTINGS))

    assert not result.run_requests


def test_without_messages_or_work_nothing_is_started(stage: Stage) -> None:
    """A quiet tick ends with a reason and no run."""
    result = stage.tick(schedule_events_sensor(_SETTINGS))

    assert not result.run_requests
    assert "received 0 messages" in str(result.skip_reason)


def test_work_left_by_a_dead_publisher_starts_another(stage: Stage) -> None:
    """A tick without messages starts a publisher for schedules that a crashed publisher left pending."""
    stage.upstreams.schedule_queue.post(_schedule_message())
    stage.tick(schedule_events_sensor(_SETTINGS))
    stage.clock.advance(timedelta(seconds=31))

    result = stage.tick(catalogue_events_sensor(_SETTINGS))

    assert [request.job_name for request in result.run_requests or ()] == [JOB_NAME]


def test_a_flood_of_rejected_messages_is_shown_in_part() -> None:
    """Of many rejected messages the metadata show the count, and the reasons of the first ones."""
    rejection = Rejection("not JSON", datetime(2026, 3, 28, tzinfo=UTC), "digest", "", "{")

    result = IngestResult(received=500, rejected={f"id-{n}": rejection for n in range(500)})
    (observation,) = observations(QueueName.SCHEDULE_EVENTS, summarise(result))

    metadata = observation.metadata
    assert metadata["messages_rejected"].value == 500
    assert len(cast("dict[str, str]", metadata["rejected"].value)) == 20


def test_a_rejected_message_is_listed_and_shown(stage: Stage) -> None:
    """An invalid message is deleted, listed with its reason, and shown at the queue's asset."""
    stage.upstreams.schedule_queue.post("not json")

    result = stage.tick(schedule_events_sensor(_SETTINGS))

    (observation,) = result.asset_events
    assert observation.asset_key == names.SCHEDULE_EVENTS
    assert "not JSON" in str(observation.metadata["rejected"].value)
    assert [rejection.excerpt for rejection in stage.store.rejections.all().values()] == ["not json"]
    assert stage.upstreams.schedule_queue.depth() == QueueDepth(0, 0)


def test_changed_copies_are_observed(stage: Stage) -> None:
    """A change of a copied item is an observation of its kind's asset."""
    document = {"pid": "b00000001", "type": "brand", "title": "One"}
    pid = Pid("b00000001")
    stage.upstreams.catalogue_source.documents[pid] = orjson.dumps(document)
    stage.pipeline.follower.insert_if_absent([pid])
    stage.upstreams.catalogue_source.documents[pid] = orjson.dumps({**document, "title": "Two"})
    stage.upstreams.catalogue_queue.post('{"action": "UPDATE", "type": "brand", "pid": "b00000001"}')

    result = stage.tick(catalogue_events_sensor(_SETTINGS))

    assert [e.asset_key for e in result.asset_events] == [names.CATALOGUE_EVENTS, names.CATALOGUE_BRANDS]


def test_a_message_stays_where_handling_it_fails(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the store does not answer, no message is deleted, so SQS delivers it again."""

    def fail(messages: Sequence[Message]) -> None:
        raise ServiceError("the store is away")

    monkeypatch.setattr(stage.pipeline.schedule_intake, "handle", fail)
    stage.upstreams.schedule_queue.post(_schedule_message())

    result = stage.tick(schedule_events_sensor(_SETTINGS))

    assert not result.run_requests
    assert stage.upstreams.schedule_queue.depth() == QueueDepth(0, 1)


def test_no_message_is_received_where_nothing_can_be_written(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the store is full, no message is received, so none comes nearer to the dead letters."""

    def fail() -> None:
        raise ServiceError("the store is full")

    monkeypatch.setattr(stage.store.work, "require_writable", fail)
    stage.upstreams.schedule_queue.post(_schedule_message())

    result = stage.tick(schedule_events_sensor(_SETTINGS))

    assert not result.run_requests
    assert stage.upstreams.schedule_queue.depth() == QueueDepth(1, 0)


def test_a_notification_begins_the_story_of_its_event(stage: Stage) -> None:
    """Every notification is logged by the id of its message, and the run that it starts is tagged with it."""
    stage.upstreams.schedule_queue.post(_schedule_message())
    stage.upstreams.schedule_queue.post("not json")

    with structlog.testing.capture_logs() as logs:
        result = stage.tick(schedule_events_sensor(_SETTINGS))

    taken_in = [log for log in logs if log["event"] == "notification ingested"]
    rejected = [log for log in logs if log["event"] == "notification rejected"]
    assert [(log["event_id"], log["subject"]) for log in taken_in] == [("schedule-1", "alder_one/2026-03-28")]
    assert [log["event_id"] for log in rejected] == ["schedule-2"]
    assert [request.tags[EVENT_TAG] for request in result.run_requests or ()] == ["schedule-1"]


def test_a_sensor_leaves_messages_to_a_publisher_that_receives(stage: Stage) -> None:
    """It only asks for publishers, and receives again when the publisher's announcement has ended."""
    stage.store.presence.renew("a run", 3600)
    stage.store.queue_polls.announce_receiver(QueueName.SCHEDULE_EVENTS, 5)
    stage.upstreams.schedule_queue.post(_schedule_message())
    stage.tick(schedule_events_sensor(_SETTINGS))
    is_left = stage.upstreams.schedule_queue.has_visible()
    stage.clock.advance(timedelta(seconds=5))
    stage.tick(schedule_events_sensor(_SETTINGS))

    assert is_left
    assert stage.upstreams.schedule_queue.is_empty()


def test_one_publisher_stands_ready_unless_it_may_linger(stage: Stage) -> None:
    """Without a time to linger, a publisher is asked for before anything is to be done."""
    settings = _SETTINGS.model_copy(update={"publisher_linger_seconds": None})

    result = stage.tick(schedule_events_sensor(settings))

    assert [request.job_name for request in result.run_requests or ()] == [JOB_NAME]
