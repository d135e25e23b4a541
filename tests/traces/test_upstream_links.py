"""The link from a notification to the span in which its sender says that it sent it."""

from datetime import UTC, datetime

import orjson
import pytest
from spans import listing_spans

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.jobs.traced import traced_handling
from schedules_pipeline.publishing.intake import IngestResult
from schedules_pipeline.publishing.ports.upstream import Message
from schedules_pipeline.tracing import SpanId, parse_traceparent

_TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_SENT = SpanId(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331)
_AT = datetime(2026, 3, 28, 12, tzinfo=UTC)


def _links(body: str, traceparent: str = "") -> list[SpanId]:
    message = Message("m1", body, _AT, "", 1, traceparent=traceparent)
    result = IngestResult(1, causes=[Cause("m1", Origin.SCHEDULE, "alder/2026-03-28", _AT)])
    with listing_spans() as spans:
        traced_handling(lambda _: result)([message])
    return [*spans.named("notification")[0].links]


def test_a_traceparent_in_an_envelope_is_a_link() -> None:
    """SNS keeps the attributes of a message in the envelope, unless the subscription is raw."""
    attributes = {"traceparent": {"Type": "String", "Value": _TRACEPARENT}}
    envelope = {"Type": "Notification", "TopicArn": "arn:x", "Message": "{}", "MessageAttributes": attributes}

    assert _links(orjson.dumps(envelope).decode()) == [_SENT]


def test_a_traceparent_of_the_message_is_a_link() -> None:
    """A raw subscription, and a sender to SQS, give it as an attribute of the message."""
    assert _links("{}", _TRACEPARENT) == [_SENT]


@pytest.mark.parametrize(
    "body", ["{}", "no JSON", "[]", '{"TopicArn":"a","MessageAttributes":{"traceparent":{}}}']
)
def test_most_messages_have_no_link(body: str) -> None:
    """A message without the attribute, in any form, has none."""
    assert not _links(body)


@pytest.mark.parametrize(
    "text", ["", "00-0-0-01", f"00-{'0' * 32}-b7ad6b7169203331-01", _TRACEPARENT.upper(), "é" * 55]
)
def test_other_texts_are_no_traceparent(text: str) -> None:
    """An invalid one is ignored."""
    assert parse_traceparent(text) is None
