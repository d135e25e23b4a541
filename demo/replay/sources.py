"""The upstream systems in memory: the bucket of schedule documents, and the two queues."""

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count, islice

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports.upstream import Message, Outgoing, QueueDepth, SourceObject


class SimulatedClock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = datetime.fromtimestamp(0, UTC)

    def __call__(self) -> datetime:
        return self.now


class MemoryBucket:
    """Implements ScheduleSource. Each put has a number of its own."""

    def __init__(self) -> None:
        self._objects: dict[ScheduleKey, SourceObject] = {}
        self._puts = count(1)

    def put(self, key: ScheduleKey, content: bytes) -> None:
        self._objects[key] = SourceObject(content, str(next(self._puts)))

    def remove(self, key: ScheduleKey) -> None:
        self._objects.pop(key, None)

    def list_keys(self) -> Iterator[ScheduleKey]:
        return iter(list(self._objects))

    def fetch(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, SourceObject | Exception | None]:
        return {key: self._objects.get(key) for key in keys}


class MemoryQueue:
    """Implements NotificationQueue. It delivers once, in order, as many messages at a time as SQS does."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: deque[Message] = deque()
        self._ids = count(1)

    def send(self, messages: Sequence[Outgoing]) -> None:
        for each in messages:
            self._waiting.append(
                Message(f"replay-{next(self._ids)}", each.body, self._clock(), "", 1, each.reason)
            )

    def receive(self, wait_seconds: int) -> list[Message]:
        return list(islice(iter(self._waiting), 10))

    def delete(self, messages: Sequence[Message]) -> None:
        deleted = {message.message_id for message in messages}
        self._waiting = deque(message for message in self._waiting if message.message_id not in deleted)

    def show_again(self, messages: Sequence[Message]) -> None:
        """Messages that are not deleted stay visible."""

    def purge(self) -> None:
        self._waiting.clear()

    def depth(self) -> QueueDepth:
        return QueueDepth(len(self._waiting), 0)
