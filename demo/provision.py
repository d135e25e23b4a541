"""Creates the AWS resources of the demonstration: buckets, topics, queues with dead-letter queues, and a table.

Every function may be called again without harm, on any ``endpoint_url``. This module imports boto3 and the standard
library alone, because compose mounts it into the image without the rest of the demonstration.

A put, a removal or an expiry goes to the topic ``schedule-events`` and from there, in an SNS envelope, to the
queue of the same name. Catalogue changes go to the topic ``catalogue-events``, which has its own queue. A message that
was received five times and not deleted moves to the queue's dead-letter queue.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import Loader, create_loader

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.literals import EventType
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

SCHEDULE_EVENTS = "schedule-events"
CATALOGUE_EVENTS = "catalogue-events"
ALARMS = "schedules-alarms"
SOURCE_BUCKET = "schedule-source"
SOURCE_PREFIX = "schedules/"
SOURCE_EVENTS: Sequence["EventType"] = (
    "s3:ObjectCreated:*",
    "s3:ObjectRemoved:*",
    "s3:LifecycleExpiration:*",
)
"""An object that a lifecycle rule deletes is announced by an event of its own, and not as removed."""

REFERENCES_TABLE = "schedules-references"
DEAD_SUFFIX = "-dead"

_MAX_RECEIVES = 5
_VISIBILITY_SECONDS = 60
_LONG_POLL_SECONDS = 20
# Two weeks, the longest that SQS allows, so that an operator can inspect the message.
_DEAD_LETTER_RETENTION_SECONDS = 14 * 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class AwsEndpoints:
    """Address and credentials of S3, SNS, SQS and DynamoDB. An ``endpoint_url`` of None means AWS itself."""

    endpoint_url: str | None
    region: str = "eu-west-2"
    access_key_id: str | None = "local"
    secret_access_key: str | None = "local"

    def s3(self) -> "S3Client":
        """Make an S3 client."""
        # One connection for each thread that loads the sample.
        config = Config(max_pool_connections=16)
        return self._session().client("s3", endpoint_url=self.endpoint_url, config=config)

    def sns(self) -> "SNSClient":
        """Make an SNS client."""
        return self._session().client("sns", endpoint_url=self.endpoint_url)

    def sqs(self) -> "SQSClient":
        """Make an SQS client."""
        return self._session().client("sqs", endpoint_url=self.endpoint_url)

    def dynamodb(self) -> "DynamoDBClient":
        """Make a DynamoDB client."""
        return self._session().client("dynamodb", endpoint_url=self.endpoint_url)

    def _session(self) -> boto3.Session:
        core = botocore.session.Session()
        core.register_component("data_loader", _service_descriptions())
        return boto3.Session(
            self.access_key_id, self.secret_access_key, region_name=self.region, botocore_session=core
        )


@cache
def _service_descriptions() -> Loader:
    """Read once: a session of boto3 reads megabytes of JSON for its first client."""
    return create_loader()


@dataclass(frozen=True, slots=True)
class Channel:
    """A topic, the queue that subscribes to it, and that queue's dead-letter queue."""

    topic_arn: str
    queue_url: str
    dead_letter_url: str


@dataclass(frozen=True, slots=True)
class ProvisionedResources:
    """The addresses of the resources that ``provision`` creates."""

    bucket: str
    schedule_events: Channel
    catalogue_events: Channel


def provision(endpoints: AwsEndpoints, bucket: str = SOURCE_BUCKET) -> ProvisionedResources:
    """Create and connect the bucket, both topics and all four queues, if they are missing.

    The bucket announces nothing until ``announce_schedules`` is called, so that a sample can be loaded without an event
    for each document. Client errors are passed on.
    """
    _ensure_bucket(endpoints.s3(), bucket, endpoints.region)
    sns, sqs = endpoints.sns(), endpoints.sqs()
    schedule_events = _ensure_channel(sns, sqs, SCHEDULE_EVENTS)
    catalogue_events = _ensure_channel(sns, sqs, CATALOGUE_EVENTS)
    return ProvisionedResources(bucket, schedule_events, catalogue_events)


def provision_alarms(endpoints: AwsEndpoints) -> Channel:
    """Make sure of the topic that is told of alarms, with a queue that subscribes, so that they can be looked at.

    Client errors pass through.
    """
    return _ensure_channel(endpoints.sns(), endpoints.sqs(), ALARMS)


def provision_references(endpoints: AwsEndpoints, table: str = REFERENCES_TABLE) -> None:
    """Create the table of the back-references, billed by request, and wait until it is ready.

    An existing table is not changed. Client errors are passed on.
    """
    dynamodb = endpoints.dynamodb()
    with suppress(dynamodb.exceptions.ResourceInUseException):
        dynamodb.create_table(
            TableName=table,
            AttributeDefinitions=[
                {"AttributeName": "item", "AttributeType": "S"},
                {"AttributeName": "member", "AttributeType": "S"},
            ],
            KeySchema=[
                {"AttributeName": "item", "KeyType": "HASH"},
                {"AttributeName": "member", "KeyType": "RANGE"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
    dynamodb.get_waiter("table_exists").wait(TableName=table)


def provision_buckets(endpoints: AwsEndpoints, *buckets: str) -> None:
    """Create the buckets that the pipeline writes, if they are missing. Client errors are passed on."""
    for bucket in buckets:
        _ensure_bucket(endpoints.s3(), bucket, endpoints.region)


def announce_schedules(endpoints: AwsEndpoints, provisioned: ProvisionedResources) -> None:
    """Make the bucket announce every later put, removal and expiry to the topic ``schedule-events``.

    S3 sends a test event at once.
    """
    topic_arn = provisioned.schedule_events.topic_arn
    policy = _permission("s3.amazonaws.com", "sns:Publish", topic_arn, f"arn:aws:s3:::{provisioned.bucket}")
    endpoints.sns().set_topic_attributes(TopicArn=topic_arn, AttributeName="Policy", AttributeValue=policy)
    endpoints.s3().put_bucket_notification_configuration(
        Bucket=provisioned.bucket,
        NotificationConfiguration={
            "TopicConfigurations": [
                {
                    "TopicArn": topic_arn,
                    "Events": [*SOURCE_EVENTS],
                    "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": SOURCE_PREFIX}]}},
                }
            ]
        },
    )


def _ensure_bucket(s3: "S3Client", bucket: str, region: str) -> None:
    try:
        if region == "us-east-1":
            # S3 does not accept this region by name here.
            s3.create_bucket(Bucket=bucket)
        else:
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})  # type: ignore[typeddict-item]
    except s3.exceptions.BucketAlreadyOwnedByYou:
        return


def _ensure_channel(sns: "SNSClient", sqs: "SQSClient", name: str) -> Channel:
    topic_arn = sns.create_topic(Name=name)["TopicArn"]
    dead_letter_url = _ensure_queue(
        sqs, name + DEAD_SUFFIX, {"MessageRetentionPeriod": str(_DEAD_LETTER_RETENTION_SECONDS)}
    )
    queue_url = _ensure_queue(sqs, name, _waiting_and_redrive(_queue_arn(sqs, dead_letter_url)))
    _subscribe(sns, sqs, topic_arn, queue_url)
    return Channel(topic_arn, queue_url, dead_letter_url)


def _ensure_queue(sqs: "SQSClient", name: str, attributes: Mapping[str, str]) -> str:
    # Attributes are set separately: SQS rejects the creation of an existing queue with other attributes.
    queue_url = sqs.create_queue(QueueName=name)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes=attributes)  # type: ignore[arg-type]
    return queue_url


def _waiting_and_redrive(dead_letter_arn: str) -> Mapping[str, str]:
    redrive = {"deadLetterTargetArn": dead_letter_arn, "maxReceiveCount": _MAX_RECEIVES}
    return {
        "ReceiveMessageWaitTimeSeconds": str(_LONG_POLL_SECONDS),
        "VisibilityTimeout": str(_VISIBILITY_SECONDS),
        "RedrivePolicy": json.dumps(redrive),
    }


def _subscribe(sns: "SNSClient", sqs: "SQSClient", topic_arn: str, queue_url: str) -> None:
    queue_arn = _queue_arn(sqs, queue_url)
    policy = _permission("sns.amazonaws.com", "sqs:SendMessage", queue_arn, topic_arn)
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn)


def _queue_arn(sqs: "SQSClient", queue_url: str) -> str:
    return sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def _permission(service: str, action: str, resource_arn: str, source_arn: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": action,
        "Resource": resource_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": source_arn}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
