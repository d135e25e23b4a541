"""Bodies of webhooks: events alone and in batches, in both envelopes."""

from threading import Barrier
from typing import Any

import orjson
import pytest
from push_stage import HOOK, KEY, OTHER, PushStage, cursor_at, version_id

from schedules_pipeline.push.ports import Answer
from schedules_pipeline.push.subscription import Envelope


def _stage(**choices: Any) -> PushStage:
    stage = PushStage()
    stage.subscribe_webhook(**choices)
    stage.publish(KEY)
    stage.publish(OTHER, removed=True)
    return stage


def test_a_batch_has_the_events_of_several_schedules() -> None:
    """Each has its own id; all have the cursor after the request."""
    stage = _stage(batch=10)

    stage.push()

    ((_, headers, body),) = stage.receiver.received
    message = orjson.loads(body)
    assert list(message) == ["id", "type", "timestamp", "data"]
    assert (headers["webhook-id"], message["type"]) == (message["id"], "events")
    assert stage.receiver.ids() == [version_id(KEY, 1), version_id(OTHER, 1)]
    assert {event["data"]["cursor"] for event in stage.receiver.accepted} == {cursor_at("2")}


def test_a_single_event_of_a_subscription_with_batches_is_a_batch() -> None:
    """Receivers need to read one form only."""
    stage = _stage(batch=1)
    stage.store.subscriptions.remove(HOOK)
    stage.subscribe_webhook(position="1", batch=10)

    stage.push()

    ((_, _, body),) = stage.receiver.received
    assert orjson.loads(body)["type"] == "events"


def test_the_same_batch_has_the_same_id() -> None:
    """A batch with other events has another."""
    ids = []
    for first in (1, 1, 2):
        stage = _stage(batch=10)
        for _ in range(first - 1):
            stage.publish(KEY)
        stage.push()
        ids.append(stage.receiver.received[0][1]["webhook-id"])

    assert ids[0] == ids[1] != ids[2]


def test_a_cloud_event_has_the_required_attributes() -> None:
    """CloudEvents 1.0 in structured mode, signed like the others."""
    stage = _stage(envelope=Envelope.CLOUDEVENTS)

    stage.push()

    (_, headers, body), _ = stage.receiver.received
    assert headers["Content-Type"] == "application/cloudevents+json"
    event = orjson.loads(body)
    assert {name: value for name, value in event.items() if name != "data"} == {
        "specversion": "1.0",
        "id": headers["webhook-id"],
        "source": "/v1/changes",
        "type": "schedule.published",
        "subject": str(KEY),
        "time": "2026-03-28T12:00:00Z",
        "datacontenttype": "application/json",
    }
    assert (event["data"]["sid"], event["data"]["seq"]) == (KEY.sid, 1)


def test_a_batch_of_cloud_events_is_an_array() -> None:
    """In CloudEvents' batch mode."""
    stage = _stage(envelope=Envelope.CLOUDEVENTS, batch=10)

    stage.push()

    ((_, headers, body),) = stage.receiver.received
    assert headers["Content-Type"] == "application/cloudevents-batch+json"
    assert [event["type"] for event in orjson.loads(body)] == ["schedule.published", "schedule.removed"]


@pytest.mark.parametrize("batch", [1, 10])
def test_the_sdk_of_cloudevents_reads_the_events(batch: int) -> None:
    """Changes, removals and resets; skipped where the SDK is not installed."""
    formats = pytest.importorskip("cloudevents.core.formats.json")
    v1 = pytest.importorskip("cloudevents.core.v1.event")
    stage = _stage(envelope=Envelope.CLOUDEVENTS, batch=batch)
    stage.push()
    stage.store.coldstarts.current_epoch = None
    stage.store.coldstarts.begin_epoch("life-2")
    stage.push()

    kinds = []
    for event in stage.receiver.accepted:
        read = formats.JSONFormat().read(v1.CloudEvent, orjson.dumps(event))
        kinds.append((read.get_type(), read.get_subject()))
        assert read.get_specversion() == "1.0"
        assert read.get_data() == event["data"]

    assert kinds == [
        ("schedule.published", str(KEY)),
        ("schedule.removed", str(OTHER)),
        ("feed.reset", None),
    ]


def test_requests_for_different_schedules_are_under_way_at_once() -> None:
    """As many as the subscription allows."""
    stage = _stage(concurrency=2)
    together = Barrier(2, timeout=30)
    arrive = stage.receiver._arrive

    def arriving(url: str, headers: dict[str, str], body: bytes) -> Answer:
        together.wait()
        return arrive(url, headers, body)

    stage.receiver._arrive = arriving  # type: ignore[method-assign]

    assert stage.push().delivered == 2
