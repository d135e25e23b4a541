"""Bucket, topics and queues, created and connected on the real emulator."""

import json
from dataclasses import replace
from typing import Any

import pytest

from demo.provision import AwsEndpoints, ProvisionedResources, announce_schedules, provision

_KEY = "schedules/amber_one/2030-05-01.json"


def _receive(endpoints: AwsEndpoints, queue_url: str) -> dict[str, Any]:
    """Receive and delete the next message, waiting as long as the queue does by default. Returns its content."""
    sqs = endpoints.sqs()
    (message,) = sqs.receive_message(QueueUrl=queue_url)["Messages"]
    sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    envelope: dict[str, Any] = json.loads(message["Body"])
    return envelope


def _attributes(endpoints: AwsEndpoints, queue_url: str) -> dict[str, str]:
    answer = endpoints.sqs().get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])
    return dict(answer["Attributes"])  # type: ignore[arg-type]


@pytest.fixture
def announced(aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources) -> ProvisionedResources:
    """The test's own bucket, announcing changes, its test event already taken off the queue."""
    announce_schedules(aws_endpoints, provisioned)
    test_event = _receive(aws_endpoints, provisioned.schedule_events.queue_url)
    assert json.loads(test_event["Message"])["Event"] == "s3:TestEvent"
    return provisioned


def test_provision_again_gives_the_same_and_harms_nothing(
    aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources
) -> None:
    """A second provisioning gives the same addresses and keeps what bucket and queues hold."""
    aws_endpoints.s3().put_object(Bucket=provisioned.bucket, Key=_KEY, Body=b"{}")
    aws_endpoints.sns().publish(TopicArn=provisioned.catalogue_events.topic_arn, Message="kept")

    again = provision(aws_endpoints, provisioned.bucket)

    assert again == provisioned
    assert aws_endpoints.s3().get_object(Bucket=provisioned.bucket, Key=_KEY)["Body"].read() == b"{}"
    assert _receive(aws_endpoints, provisioned.catalogue_events.queue_url)["Message"] == "kept"


def test_provision_again_does_not_deliver_twice(
    aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources
) -> None:
    """Repeated provisioning leaves one subscription of a queue to its topic."""
    provision(aws_endpoints, provisioned.bucket)

    topic_arn = provisioned.schedule_events.topic_arn
    listed = aws_endpoints.sns().list_subscriptions_by_topic(TopicArn=topic_arn)["Subscriptions"]
    assert [subscription["Protocol"] for subscription in listed] == ["sqs"]


def test_provision_mends_attributes_that_differ(
    aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources
) -> None:
    """A queue that exists with other attributes gets the right ones instead of an error."""
    queue_url = provisioned.schedule_events.queue_url
    aws_endpoints.sqs().set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": "5"})

    provision(aws_endpoints, provisioned.bucket)

    assert _attributes(aws_endpoints, queue_url)["VisibilityTimeout"] == "60"


def test_provision_works_in_the_region_without_a_name(aws_endpoints: AwsEndpoints) -> None:
    """In us-east-1, which S3 does not accept as a location, everything is created too, twice."""
    endpoints = replace(aws_endpoints, region="us-east-1")
    bucket = f"first-region-{endpoints.access_key_id}"

    assert provision(endpoints, bucket) == provision(endpoints, bucket)


@pytest.mark.parametrize("channel", ["schedule_events", "catalogue_events"])
def test_queue_waits_hides_and_gives_up(
    aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources, channel: str
) -> None:
    """A queue polls for 20 s and hides for 60 s by default, and gives a message up after 5 receives."""
    attributes = _attributes(aws_endpoints, getattr(provisioned, channel).queue_url)

    assert attributes["ReceiveMessageWaitTimeSeconds"] == "20"
    assert attributes["VisibilityTimeout"] == "60"
    assert json.loads(attributes["RedrivePolicy"])["maxReceiveCount"] == 5


def test_put_before_the_announcement_is_silent(
    aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources
) -> None:
    """A document that is loaded before the bucket announces changes sends nothing."""
    aws_endpoints.s3().put_object(Bucket=provisioned.bucket, Key=_KEY, Body=b"{}")

    attributes = _attributes(aws_endpoints, provisioned.schedule_events.queue_url)

    assert attributes["ApproximateNumberOfMessages"] == "0"


def test_put_arrives_inside_an_envelope(aws_endpoints: AwsEndpoints, announced: ProvisionedResources) -> None:
    """A put arrives on the queue as an S3 event record inside an SNS notification."""
    aws_endpoints.s3().put_object(Bucket=announced.bucket, Key=_KEY, Body=b"{}")

    envelope = _receive(aws_endpoints, announced.schedule_events.queue_url)

    (record,) = json.loads(envelope["Message"])["Records"]
    assert envelope["Type"] == "Notification"
    assert envelope["TopicArn"] == announced.schedule_events.topic_arn
    assert record["eventName"] == "ObjectCreated:Put"
    assert (record["s3"]["bucket"]["name"], record["s3"]["object"]["key"]) == (announced.bucket, _KEY)


def test_removal_arrives_inside_an_envelope(
    aws_endpoints: AwsEndpoints, announced: ProvisionedResources
) -> None:
    """A removal arrives on the queue like a put, under its own event name."""
    s3, queue_url = aws_endpoints.s3(), announced.schedule_events.queue_url
    s3.put_object(Bucket=announced.bucket, Key=_KEY, Body=b"{}")
    _receive(aws_endpoints, queue_url)

    s3.delete_object(Bucket=announced.bucket, Key=_KEY)

    (record,) = json.loads(_receive(aws_endpoints, queue_url)["Message"])["Records"]
    assert record["eventName"] == "ObjectRemoved:Delete"
    assert record["s3"]["object"]["key"] == _KEY


def test_the_bucket_announces_puts_removals_and_expiry(
    aws_endpoints: AwsEndpoints, announced: ProvisionedResources
) -> None:
    """Expiry by a lifecycle rule is an event of its own, which is announced too. The emulator expires nothing."""
    answer = aws_endpoints.s3().get_bucket_notification_configuration(Bucket=announced.bucket)

    [topic] = answer["TopicConfigurations"]
    assert topic["Events"] == ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"]


def test_put_outside_the_schedules_is_silent(
    aws_endpoints: AwsEndpoints, announced: ProvisionedResources
) -> None:
    """A put under another prefix is not announced; the schedule put after it is the next message."""
    aws_endpoints.s3().put_object(Bucket=announced.bucket, Key="elsewhere/amber_one.json", Body=b"{}")
    aws_endpoints.s3().put_object(Bucket=announced.bucket, Key=_KEY, Body=b"{}")

    envelope = _receive(aws_endpoints, announced.schedule_events.queue_url)

    (record,) = json.loads(envelope["Message"])["Records"]
    assert record["s3"]["object"]["key"] == _KEY


def test_catalogue_publish_arrives_inside_an_envelope(
    aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources
) -> None:
    """A message of the catalogue topic arrives unchanged on the catalogue queue."""
    channel = provisioned.catalogue_events
    event = {"action": "UPDATE", "type": "brand", "pid": "b0000001", "seq": 1, "at": "2030-05-01T06:00:00Z"}
    aws_endpoints.sns().publish(TopicArn=channel.topic_arn, Message=json.dumps(event))

    envelope = _receive(aws_endpoints, channel.queue_url)

    assert envelope["Type"] == "Notification"
    assert json.loads(envelope["Message"]) == event


@pytest.mark.parametrize("channel_name", ["schedule_events", "catalogue_events"])
def test_message_received_five_times_becomes_a_dead_letter(
    aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources, channel_name: str
) -> None:
    """A message is handed out five times; then it is on the dead-letter queue, and on no other."""
    sqs, channel = aws_endpoints.sqs(), getattr(provisioned, channel_name)
    sqs.send_message(QueueUrl=channel.queue_url, MessageBody="hopeless")
    counts = []
    for _ in range(5):
        (message,) = sqs.receive_message(
            QueueUrl=channel.queue_url, VisibilityTimeout=0, AttributeNames=["ApproximateReceiveCount"]
        )["Messages"]
        counts.append(message["Attributes"]["ApproximateReceiveCount"])

    sixth = sqs.receive_message(QueueUrl=channel.queue_url, WaitTimeSeconds=0)

    (dead,) = sqs.receive_message(QueueUrl=channel.dead_letter_url, WaitTimeSeconds=5)["Messages"]
    assert counts == ["1", "2", "3", "4", "5"]
    assert sixth.get("Messages", []) == []
    assert dead["Body"] == "hopeless"
