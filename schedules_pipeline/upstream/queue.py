"""A notification queue on SQS."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.publishing.ports.upstream import (
    MOST_RECEIVED,
    Message,
    Outgoing,
    QueueAttributes,
    QueueDepth,
)
from schedules_pipeline.store.aws_answers import require_from_aws, service_errors
from schedules_pipeline.upstream.direct_calls import JsonCalls

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef, SendMessageBatchRequestEntryTypeDef

_MOST_PER_CALL = 10
_MESSAGE_LIMITS = (262_144, 1_048_576)
"""The most bytes of a message: of a queue with the limit that was the highest until 2025, and of one with today's."""

_MOST_BYTES_PER_CALL = min(_MESSAGE_LIMITS)
_REASON, _TRACEPARENT = "reason", "traceparent"
_REASON_CHARACTERS = 500
_RECORDED_EVERY_SECONDS = 0.25
_NOT_ACCEPTED = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_T = TypeVar("_T")

RecordPoll = Callable[[datetime, datetime | None], None]


class SqsQueue:
    """Implements :class:`NotificationQueue`.

    The queue is looked up by name at the first call.
    """

    def __init__(self, client: "SQSClient", name: str) -> None:
        self._client = client
        self._name = name
        self._what = f"queue {name}"
        self._known_url: str | None = None
        self._receive = JsonCalls(client, "ReceiveMessage", client.receive_message)
        self._delete = JsonCalls(client, "DeleteMessageBatch", client.delete_message_batch)

    def receive(self, wait_seconds: int) -> list[Message]:
        with service_errors(self._what):
            reply = self._receive(
                QueueUrl=self._url(),
                MaxNumberOfMessages=MOST_RECEIVED,
                WaitTimeSeconds=max(0, min(20, wait_seconds)),
                MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
                MessageAttributeNames=[_REASON, _TRACEPARENT],
            )
            require_from_aws(self._what, reply)
            return [_message(row) for row in reply.get("Messages", [])]

    def delete(self, messages: Sequence[Message]) -> None:
        """A message that could not be deleted is delivered again, which is harmless. A stale receipt is no error."""
        for batch in _batches(messages):
            with service_errors(self._what):
                reply = self._delete(
                    QueueUrl=self._url(),
                    Entries=[{"Id": str(i), "ReceiptHandle": m.receipt} for i, m in enumerate(batch)],
                )
                self._require_all(len(batch), reply, "deleted")

    def show_again(self, messages: Sequence[Message]) -> None:
        for batch in _batches(messages):
            with service_errors(self._what):
                reply = self._client.change_message_visibility_batch(
                    QueueUrl=self._url(),
                    Entries=[
                        {"Id": str(i), "ReceiptHandle": m.receipt, "VisibilityTimeout": 0}
                        for i, m in enumerate(batch)
                    ],
                )
                self._require_all(len(batch), reply, "made visible")

    def send(self, messages: Sequence[Outgoing]) -> None:
        for batch in batches_to_send(messages):
            with service_errors(self._what):
                reply = self._client.send_message_batch(
                    QueueUrl=self._url(), Entries=[_entry(i, each) for i, each in enumerate(batch)]
                )
                self._require_all(len(batch), reply, "accepted", is_stale_harmless=False)

    def purge(self) -> None:
        with service_errors(self._what), suppress(self._client.exceptions.PurgeQueueInProgress):
            require_from_aws(self._what, self._client.purge_queue(QueueUrl=self._url()))

    def depth(self) -> QueueDepth:
        with service_errors(self._what):
            attributes = self._client.get_queue_attributes(
                QueueUrl=self._url(),
                AttributeNames=[
                    "ApproximateNumberOfMessages",
                    "ApproximateNumberOfMessagesNotVisible",
                    "QueueArn",
                    "VisibilityTimeout",
                    "MessageRetentionPeriod",
                    "RedrivePolicy",
                ],
            )["Attributes"]
            return QueueDepth(
                int(attributes["ApproximateNumberOfMessages"]),
                int(attributes["ApproximateNumberOfMessagesNotVisible"]),
                parse_attributes(dict(attributes)),
            )

    def _url(self) -> str:
        if self._known_url is None:
            self._known_url = self._client.get_queue_url(QueueName=self._name)["QueueUrl"]
        return self._known_url

    def _require_all(
        self, count: int, reply: Mapping[str, Any], done: str, *, is_stale_harmless: bool = True
    ) -> None:
        """Raises :class:`ServiceError` unless the reply accounts for every entry.

        ``is_stale_harmless``: accept that entries failed by the sender's fault, as those with a stale receipt do.
        """
        require_from_aws(self._what, reply)
        failed = [each for each in reply.get("Failed", []) if not (is_stale_harmless and each["SenderFault"])]
        if failed:
            raise ServiceError(f"{self._what}: {len(failed)} messages were not {done}: {failed[0]}")
        unanswered = count - len(reply.get("Successful", [])) - len(reply.get("Failed", []))
        if unanswered:
            raise ServiceError(
                f"{self._what}: the answer does not say whether {unanswered} messages were {done}"
            )


class PolledSqsQueue(SqsQueue):
    """Records polls, so that the age of the oldest waiting message can be estimated: every one without messages, and
    one with messages each quarter of a second.
    """

    def __init__(self, client: "SQSClient", name: str, record_poll: RecordPoll, clock: Clock) -> None:
        """``record_poll``: gets the start of a poll, and when its oldest message was sent or None."""
        super().__init__(client, name)
        self._record_poll = record_poll
        self._clock = clock
        self._recorded_at = float("-inf")

    def receive(self, wait_seconds: int) -> list[Message]:
        """The start is recorded, so that messages that come during the poll count as later ones."""
        began_at = self._clock()
        messages = super().receive(wait_seconds)
        if messages:
            self._record(began_at, min(message.sent_at for message in messages))
        elif wait_seconds > 0:
            # A poll that does not wait asks only some servers of the queue, so an empty one proves nothing.
            self._record_poll(began_at, None)
        return messages

    def _record(self, began_at: datetime, oldest_sent_at: datetime) -> None:
        now = time.monotonic()
        if now >= self._recorded_at + _RECORDED_EVERY_SECONDS:
            self._record_poll(began_at, oldest_sent_at)
            self._recorded_at = now


def batches_to_send(messages: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    """Batches that one call sends: by number and by bytes. A message that is larger than a batch has its own."""
    batch: list[Outgoing] = []
    size = 0
    for each in messages:
        added = len(each.body.encode()) + _reason_bytes(each)
        if batch and (len(batch) == _MOST_PER_CALL or size + added > _MOST_BYTES_PER_CALL):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += added
    if batch:
        yield batch


def _batches(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (items[start : start + _MOST_PER_CALL] for start in range(0, len(items), _MOST_PER_CALL))


def _entry(number: int, message: Outgoing) -> "SendMessageBatchRequestEntryTypeDef":
    entry: SendMessageBatchRequestEntryTypeDef = {"Id": str(number), "MessageBody": message.body}
    if message.reason and _has_room_for_reason(message):
        entry["MessageAttributes"] = {
            _REASON: {"DataType": "String", "StringValue": _as_attribute(message.reason)}
        }
    return entry


def _has_room_for_reason(message: Outgoing) -> bool:
    """Whether the reason makes the message no larger than a queue accepts, of which its body alone may be all."""
    size = len(message.body.encode())
    return not any(size <= limit < size + _reason_bytes(message) for limit in _MESSAGE_LIMITS)


def _reason_bytes(message: Outgoing) -> int:
    """SQS counts the name, the type and the value of an attribute."""
    return len(_REASON) + len("String") + len(_as_attribute(message.reason).encode()) if message.reason else 0


def _as_attribute(reason: str) -> str:
    """The beginning of the reason, in the characters that SQS accepts."""
    text = reason[:_REASON_CHARACTERS].encode(errors="replace").decode()
    return _NOT_ACCEPTED.sub("?", text)


def parse_attributes(answer: Mapping[Any, str]) -> QueueAttributes | None:
    """None if the service does not tell them, as some emulators do not."""
    if not {"QueueArn", "VisibilityTimeout", "MessageRetentionPeriod"} <= answer.keys():
        return None
    redrive = orjson.loads(answer.get("RedrivePolicy") or "{}")
    return QueueAttributes(
        arn=answer["QueueArn"],
        visibility=timedelta(seconds=int(answer["VisibilityTimeout"])),
        retention=timedelta(seconds=int(answer["MessageRetentionPeriod"])),
        dead_letters_to=redrive.get("deadLetterTargetArn", ""),
        receives=int(redrive.get("maxReceiveCount", 0)),
        policy=answer.get("Policy", ""),
    )


def _attribute(row: "MessageTypeDef", name: str) -> str:
    """Empty without the attribute, or if it is no text."""
    attributes = row.get("MessageAttributes", {})
    return attributes[name].get("StringValue", "") if name in attributes else ""


def _message(row: "MessageTypeDef") -> Message:
    attributes = row.get("Attributes", {})
    return Message(
        message_id=row["MessageId"],
        body=row["Body"],
        sent_at=datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC),
        receipt=row["ReceiptHandle"],
        deliveries=int(attributes["ApproximateReceiveCount"]),
        reason=_attribute(row, _REASON),
        traceparent=_attribute(row, _TRACEPARENT),
    )
