"""The intake on the emulator's topics and queues: every form that is read, and what becomes a dead letter."""

import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fakes import FakeClock, FakeStore, fake_store

from demo.provision import AwsEndpoints, ProvisionedResources
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.publishing.intake import IngestResult, ScheduleIntake, ingest
from schedules_pipeline.upstream.queue import SqsQueue

_KEY = "schedules/alder/2026-03-28.json"
_RECORD = {"eventName": "ObjectCreated:Put", "s3": {"object": {"key": _KEY}}}
_EVENTBRIDGE = {"source": "aws.s3", "detail-type": "Object Created", "detail": {"object": {"key": _KEY}}}


class _Site:
    def __init__(self, endpoints: AwsEndpoints, provisioned: ProvisionedResources, dead: str) -> None:
        self.sns, self.sqs = endpoints.sns(), endpoints.sqs()
        self.channel = provisioned.schedule_events
        self.queue = SqsQueue(self.sqs, "schedule-events")
        self.dead = SqsQueue(self.sqs, "schedule-events-dead")
        clock = FakeClock()
        self.store: FakeStore = fake_store(clock)
        self.intake = ScheduleIntake(
            self.store.as_store(),
            SqsQueue(self.sqs, dead),
            BroadcastCalendar(ZoneInfo("Europe/London")),
            clock,
        )

    def send(self, message: dict[str, Any]) -> None:
        self.sqs.send_message(QueueUrl=self.channel.queue_url, MessageBody=json.dumps(message))

    def publish(self, message: dict[str, Any]) -> None:
        """Send in an SNS envelope."""
        self.sns.publish(TopicArn=self.channel.topic_arn, Message=json.dumps(message))

    def ingest(self, count: int) -> IngestResult:
        total = IngestResult()
        while total.received < count:
            total += ingest(self.queue, self.intake.handle, 5)
        return total


@pytest.fixture
def site(aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources) -> _Site:
    return _Site(aws_endpoints, provisioned, "schedule-events-dead")


def test_eventbridge_is_read_bare_and_from_a_topic(site: _Site) -> None:
    """Both forms mark the schedule, and no message remains."""
    site.send(_EVENTBRIDGE)
    site.publish(_EVENTBRIDGE)

    result = site.ingest(2)

    assert (len(result.causes), result.rejected) == (2, {})
    assert site.store.work.backlog().pending == 1
    assert site.queue.depth().waiting + site.queue.depth().in_flight == 0


def test_what_cannot_be_read_is_a_dead_letter_with_its_reason(site: _Site) -> None:
    """Of one message only the bad record; of another the whole. Everything else is ingested."""
    site.publish({"Records": [_RECORD, {"eventName": "ObjectCreated:Put"}]})
    site.send({"Type": "SubscriptionConfirmation", "TopicArn": "arn:aws:sns:eu-west-1:1:t", "Message": "-"})

    result = site.ingest(2)

    letters = {message.reason: message.body for message in site.dead.receive(5)}
    assert result.marked == 1
    assert len(result.rejected) == len(letters) == 2
    assert json.loads(letters["schedule notification: Records.1.s3: Field required"]) == {
        "Records": [{"eventName": "ObjectCreated:Put"}]
    }
    assert any("awaits confirmation" in reason for reason in letters)
    assert site.queue.depth().waiting + site.queue.depth().in_flight == 0


def test_without_a_dead_letter_queue_only_the_unreadable_message_stays(
    aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources
) -> None:
    """The error names the missing queue; the readable message is ingested and deleted."""
    site = _Site(aws_endpoints, provisioned, "no-such-queue")
    site.send({"sid": "Alder"})
    site.send(_EVENTBRIDGE)

    result = site.ingest(2)

    [problem] = result.kept.values()
    assert problem.startswith("queue no-such-queue: ")
    assert (result.marked, site.queue.depth().in_flight) == (1, 1)
