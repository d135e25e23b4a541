"""What the intake cannot read goes to the dead letters with its reason; everything else is ingested."""

import json
from collections.abc import Sequence

import pytest
from toy_world import World

from schedules_pipeline.errors import ServiceError
from schedules_pipeline.publishing.intake import IngestResult, ingest
from schedules_pipeline.publishing.ports.upstream import Message, Outgoing

_GOOD = '{"sid": "alder_one", "date": "2026-03-28"}'
_BAD = '{"sid": "Alder"}'
_RECORD = {"eventName": "ObjectCreated:Put", "s3": {"object": {"key": "schedules/alder_one/2026-03-28.json"}}}


class Stage(World):
    def ingest_schedules(self) -> IngestResult:
        """Until nothing is visible."""
        total = IngestResult()
        while self.upstreams.schedule_queue.has_visible():
            total += ingest(self.upstreams.schedule_queue, self.pipeline.schedule_intake.handle, 0)
        return total

    def dead(self) -> list[Message]:
        """All dead letters."""
        return self.pipeline.schedule_dead_letters.peek()


def test_an_unreadable_message_becomes_a_dead_letter() -> None:
    """Its body and its reason are kept, and it leaves its queue."""
    stage = Stage()
    stage.upstreams.schedule_queue.post(_BAD)
    stage.upstreams.schedule_queue.post(_GOOD)

    result = stage.ingest_schedules()

    [letter] = stage.dead()
    assert (letter.body, letter.reason) == (_BAD, "schedule notification: date: Field required")
    assert stage.upstreams.schedule_queue.is_empty()
    assert (result.marked, len(result.rejected), result.kept) == (1, 1, {})


def test_an_unreadable_catalogue_message_becomes_a_dead_letter() -> None:
    """It goes to the dead letters of its own queue."""
    stage = Stage()
    stage.upstreams.catalogue_queue.post("{}")

    ingest(stage.upstreams.catalogue_queue, stage.pipeline.catalogue_intake.handle, 0)

    [letter] = stage.pipeline.catalogue_dead_letters.peek()
    assert (letter.body, letter.reason) == ("{}", "catalogue notification: pid: Field required")
    assert stage.dead() == []


def test_only_the_unreadable_record_becomes_a_dead_letter() -> None:
    """Its siblings are marked. The letter holds the record alone, and the message counts as a put and as rejected."""
    stage = Stage()
    stage.upstreams.schedule_queue.post(json.dumps({"Records": [{"eventName": 7}, _RECORD]}))

    result = stage.ingest_schedules()

    [letter] = stage.dead()
    assert json.loads(letter.body) == {"Records": [{"eventName": 7}]}
    assert letter.reason.startswith("schedule notification: Records.0.eventName: ")
    assert result.marked == 1
    assert [rejection.reason for rejection in result.rejected.values()] == [letter.reason]


def test_an_unconfirmed_subscription_is_reported() -> None:
    """The dead letter and the rejection say that the subscription awaits confirmation."""
    stage = Stage()
    topic = "arn:aws:sns:eu-west-1:000000000000:events"
    stage.upstreams.schedule_queue.post(
        json.dumps({"Type": "SubscriptionConfirmation", "TopicArn": topic, "Message": "You have chosen"})
    )

    [rejection] = stage.ingest_schedules().rejected.values()

    [letter] = stage.dead()
    assert f"the subscription of topic {topic} awaits confirmation" in letter.reason
    assert rejection.reason == letter.reason


def test_the_letter_is_sent_before_the_message_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the process dies between the two, the message is in both queues."""
    stage = Stage()
    stage.upstreams.schedule_queue.post(_BAD)

    def die(messages: Sequence[Message]) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as death:
        death.setattr(stage.upstreams.schedule_queue, "delete", die)
        with pytest.raises(KeyboardInterrupt):
            stage.ingest_schedules()

    assert len(stage.dead()) == 1
    assert not stage.upstreams.schedule_queue.is_empty()


def test_what_cannot_be_sent_stays_in_its_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an answer of the dead-letter queue the readable messages are ingested and deleted all the same."""
    stage = Stage()
    stage.upstreams.schedule_queue.post(_BAD)
    stage.upstreams.schedule_queue.post(_GOOD)

    def fail(messages: Sequence[Outgoing]) -> None:
        raise ServiceError("queue schedule-events-dead: access denied")

    monkeypatch.setattr(stage.upstreams.schedule_dead_letters, "send", fail)
    result = stage.ingest_schedules()

    assert result.marked == 1
    assert list(result.kept.values()) == ["queue schedule-events-dead: access denied"]
    assert stage.upstreams.schedule_queue.depth().in_flight == 1


def test_a_replay_of_what_is_still_unreadable_ends() -> None:
    """The intake sends it back during the replay. It is replayed once, and then left with its reason."""
    stage = Stage()
    stage.upstreams.schedule_queue.post(_BAD)
    stage.ingest_schedules()
    queue = stage.upstreams.schedule_queue
    send, sent = queue.send, list[str]()

    def send_and_ingest(messages: Sequence[Outgoing]) -> None:
        sent.extend(message.body for message in messages)
        send(messages)
        stage.ingest_schedules()

    queue.send = send_and_ingest  # type: ignore[method-assign]

    replayed = stage.pipeline.schedule_dead_letters.replay()

    assert (len(replayed.done), sent) == (1, [_BAD])
    assert [letter.body for letter in stage.dead()] == [_BAD]
