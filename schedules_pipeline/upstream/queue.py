"""A notification queue on SQS."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from schedules_pipeline.errors import ServiceError
from schedules_pipeline.publishing.ports.upstream import Message, QueueDepth

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

_MOST_PER_CALL = 10


class SqsQueue:
    """Implements :class:`NotificationQueue`.

    The queue is found by its name at the first call, so that nothing is asked of AWS before it is needed.
    """

    def __init__(self, client: "SQSClient", name: str) -> None:
        self._client = client
        self._name = name
        self._known_url: str | None = None

    def receive(self, wait_seconds: int) -> list[Message]:
        with _as_service_error(self._name):
            reply = self._client.receive_message(
                QueueUrl=self._url(),
                MaxNumberOfMessages=_MOST_PER_CALL,
                WaitTimeSeconds=max(0, min(20, wait_seconds)),
                MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
            )
        return [_message(row) for row in reply.get("Messages", [])]

    def delete(self, messages: Sequence[Message]) -> None:
        """One that could not be deleted comes again, which does no harm."""
        for start in range(0, len(messages), _MOST_PER_CALL):
            entries = enumerate(messages[start : start + _MOST_PER_CALL])
            with _as_service_error(self._name):
                self._client.delete_message_batch(
                    QueueUrl=self._url(),
                    Entries=[{"Id": str(i), "ReceiptHandle": message.receipt} for i, message in entries],
                )

    def show_again(self, messages: Sequence[Message]) -> None:
        for start in range(0, len(messages), _MOST_PER_CALL):
            entries = enumerate(messages[start : start + _MOST_PER_CALL])
            with _as_service_error(self._name):
                self._client.change_message_visibility_batch(
                    QueueUrl=self._url(),
                    Entries=[
                        {"Id": str(i), "ReceiptHandle": message.receipt, "VisibilityTimeout": 0}
                        for i, message in entries
                    ],
                )

    def send(self, bodies: Sequence[str]) -> None:
        for start in range(0, len(bodies), _MOST_PER_CALL):
            entries = enumerate(bodies[start : start + _MOST_PER_CALL])
            with _as_service_error(self._name):
                reply = self._client.send_message_batch(
                    QueueUrl=self._url(), Entries=[{"Id": str(i), "MessageBody": body} for i, body in entries]
                )
            if failed := reply.get("Failed"):
                raise ServiceError(f"queue {self._name}: {len(failed)} messages were not taken: {failed[0]}")

    def purge(self) -> None:
        with _as_service_error(self._name), suppress(self._client.exceptions.PurgeQueueInProgress):
            self._client.purge_queue(QueueUrl=self._url())

    def depth(self) -> QueueDepth:
        with _as_service_error(self._name):
            attributes = self._client.get_queue_attributes(
                QueueUrl=self._url(),
                AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
            )["Attributes"]
        return QueueDepth(
            int(attributes["ApproximateNumberOfMessages"]),
            int(attributes["ApproximateNumberOfMessagesNotVisible"]),
        )

    def _url(self) -> str:
        if self._known_url is None:
            self._known_url = self._client.get_queue_url(QueueName=self._name)["QueueUrl"]
        return self._known_url


@contextmanager
def _as_service_error(name: str) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise ServiceError(f"queue {name}: {error}") from error


def _message(row: "MessageTypeDef") -> Message:
    attributes = row.get("Attributes", {})
    return Message(
        message_id=row["MessageId"],
        body=row["Body"],
        sent_at=datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC),
        receipt=row["ReceiptHandle"],
        deliveries=int(attributes["ApproximateReceiveCount"]),
    )
