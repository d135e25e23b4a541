"""What SNS says of a subscription itself, on either queue."""

import json
from typing import Any

import pytest

from schedules_pipeline.documents.notification import (
    parse_catalogue_notification,
    parse_schedule_notification,
)
from schedules_pipeline.errors import InvalidMessage


@pytest.mark.parametrize("parse", [parse_schedule_notification, parse_catalogue_notification])
@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        ("SubscriptionConfirmation", "awaits confirmation, and nothing arrives from it until then"),
        ("UnsubscribeConfirmation", "has ended, and nothing arrives from it: subscribe the queue again"),
    ],
)
def test_notification_of_the_subscription_says_what_to_do(parse: Any, kind: str, complaint: str) -> None:
    """What SNS says of the subscription itself is rejected; the reason names the topic."""
    topic = "arn:aws:sns:eu-west-1:000000000000:events"
    body = json.dumps(
        {
            "Type": kind,
            "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
            "Token": "2336412f37",
            "TopicArn": topic,
            "Message": "You have chosen to subscribe to the topic.",
            "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription",
        }
    )

    with pytest.raises(InvalidMessage, match=f"the subscription of topic {topic} {complaint}"):
        parse(body)
