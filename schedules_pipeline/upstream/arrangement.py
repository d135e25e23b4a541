"""How AWS announces changes: attributes of queues, subscriptions of topics, events of the bucket."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schedules_pipeline.health.probes.ports import EVENTBRIDGE, Announcement, Subscription
from schedules_pipeline.publishing.ports.upstream import QueueAttributes
from schedules_pipeline.store.aws_answers import require_from_aws, service_errors
from schedules_pipeline.upstream.queue import parse_attributes

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

_PENDING = "PendingConfirmation"
_TARGETS = {
    "TopicConfigurations": "TopicArn",
    "QueueConfigurations": "QueueArn",
    "LambdaFunctionConfigurations": "LambdaFunctionArn",
}


@dataclass(frozen=True, slots=True)
class AwsArrangement:
    """Implements :class:`Arrangement`."""

    sqs: "SQSClient"
    sns: "SNSClient"
    s3: "S3Client"
    bucket: str

    def queue(self, name: str) -> QueueAttributes | None:
        with service_errors(f"queue {name}"):
            try:
                url = self.sqs.get_queue_url(QueueName=name)["QueueUrl"]
            except self.sqs.exceptions.QueueDoesNotExist:
                return None
            reply = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
            require_from_aws(f"queue {name}", reply)
            return parse_attributes(reply["Attributes"])

    def subscriptions(self, topic_arn: str) -> list[Subscription]:
        what = f"topic {topic_arn}"
        with service_errors(what):
            pages = self.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
            found = []
            for page in pages:
                require_from_aws(what, page)
                found += [
                    Subscription(each["Endpoint"], each["SubscriptionArn"] != _PENDING)
                    for each in page["Subscriptions"]
                ]
            return found

    def announcements(self) -> list[Announcement]:
        what = f"bucket {self.bucket}"
        with service_errors(what):
            reply = self.s3.get_bucket_notification_configuration(Bucket=self.bucket)
            require_from_aws(what, reply)
            return list(_announcements(reply))

    def confirm(self, topic_arn: str, token: str) -> None:
        what = f"topic {topic_arn}"
        with service_errors(what):
            require_from_aws(what, self.sns.confirm_subscription(TopicArn=topic_arn, Token=token))


def _announcements(reply: Mapping[str, Any]) -> Iterator[Announcement]:
    if "EventBridgeConfiguration" in reply:
        yield Announcement(EVENTBRIDGE)
    for kind, target in _TARGETS.items():
        for each in reply.get(kind, []):
            rules = each.get("Filter", {}).get("Key", {}).get("FilterRules", [])
            # S3 returns the names of the rules as they were put, in either case.
            named = {rule["Name"].lower(): rule["Value"] for rule in rules}
            yield Announcement(
                each[target], tuple(each["Events"]), named.get("prefix", ""), named.get("suffix", "")
            )
