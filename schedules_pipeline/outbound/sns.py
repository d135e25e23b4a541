"""Notices of alarms through an SNS topic."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schedules_pipeline.health.incidents import Notice
from schedules_pipeline.health.notice import render_notice, render_subject
from schedules_pipeline.store.aws_answers import service_errors

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


@dataclass(frozen=True, slots=True)
class SnsNotifier:
    """Implements :class:`Notifier`. Name, phase and severity are message attributes too, so that a subscription can
    filter by them.
    """

    channel = "sns"

    client: "SNSClient"
    topic_arn: str
    runbook: str

    def send(self, notice: Notice) -> None:
        attributes = {
            "name": notice.name.value,
            "phase": notice.phase.value,
            "severity": notice.severity.value,
        }
        with service_errors(f"topic {self.topic_arn}"):
            self.client.publish(
                TopicArn=self.topic_arn,
                Subject=render_subject(notice),
                Message=render_notice(notice, self.runbook).decode(),
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
                },
            )["MessageId"]
