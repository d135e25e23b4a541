"""A notification queue on SQS."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.publishing.ports.upstream import Message, QueueDepth

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

_MOST_PER_CALL = 10

_T = TypeVar("_T")

RecordPoll = Callable[[datetime, datetime | None], None]


class SqsQueue:
    """Implements :class:`NotificationQueue`.

    The queue is looked up by name at the first call.
    """

    def __init__(self, client: "SQSClient", name: str) -> None:
        self._client = client
        self._name = name
        self._known_url: str | None = None

    def receive(self, wait_seconds: int) -> list[Message]:
        with self._service_errors():
            reply = self._client.receive_message(
                QueueUrl=self._url(),
                MaxNumberOfMessages=_MOST_PER_CALL,
                WaitTimeSeconds=max(0, min(20, wait_seconds)),
                MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
            )
        return [_message(row) for row in reply.get("Messages", [])]

    def delete(self, messages: Sequence[Message]) -> None:
        """A message that could not be deleted is delivered again, which is harmless."""
        for batch in _batches(messages):
            with self._service_errors():
                self._client.delete_message_batch(
                    QueueUrl=self._url(),
                    Entries=[{"Id": str(i), "ReceiptHandle": m.receipt} for i, m in enumerate(batch)],
                )

    def show_again(self, messages: Sequence[Message]) -> None:
        for batch in _batches(messages):
            with self._service_errors():
                self._client.change_message_visibility_batch(
                    QueueUrl=self._url(),
                    Entries=[
                        {"Id": str(i), "ReceiptHandle": m.receipt, "VisibilityTimeout": 0}
                        for i, m in enumerate(batch)
                    ],
                )

    def send(self, bodies: Sequence[str]) -> None:
        for batch in _batches(bodies):
            with self._service_errors():
                reply = self._client.send_message_batch(
                    QueueUrl=self._url(),
                    Entries=[{"Id": str(i), "MessageBody": body} for i, body in enumerate(batch)],
                )
            if failed := reply.get("Failed"):
                raise ServiceError(
                    f"queue {self._name}: {len(failed)} messages were not accepted: {failed[0]}"
                )

    def purge(self) -> None:
        with self._service_errors(), suppress(self._client.exceptions.PurgeQueueInProgress):
            self._client.purge_queue(QueueUrl=self._url())

    def depth(self) -> QueueDepth:
        with self._service_errors():
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
    def _service_errors(self) -> Iterator[None]:
        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise ServiceError(f"queue {self._name}: {error}") from error


class PolledSqsQueue(SqsQueue):
    """Records every poll, so that the age of the oldest waiting message can be estimated."""

    def __init__(self, client: "SQSClient", name: str, record_poll: RecordPoll, clock: Clock) -> None:
        """``record_poll``: gets the start of a poll, and when its oldest message was sent or None."""
        super().__init__(client, name)
        self._record_poll = record_poll
        self._clock = clock

    def receive(self, wait_seconds: int) -> list[Message]:
        """The start is recorded, so that messages that come during the poll count as later ones."""
        began_at = self._clock()
        messages = super().receive(wait_seconds)
        # A poll that does not wait asks only some servers of the queue, so an empty one proves nothing.
        if messages or wait_seconds > 0:
            self._record_poll(began_at, min((m.sent_at for m in messages), default=None))
        return messages


def _batches(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (items[start : start + _MOST_PER_CALL] for start in range(0, len(items), _MOST_PER_CALL))


def _message(row: "MessageTypeDef") -> Message:
    attributes = row.get("Attributes", {})
    return Message(
        message_id=row["MessageId"],
        body=row["Body"],
        sent_at=datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC),
        receipt=row["ReceiptHandle"],
        deliveries=int(attributes["ApproximateReceiveCount"]),
    )
