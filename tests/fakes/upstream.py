"""Fakes of the queues, the bucket and the legacy keyspace."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from fakes.conditions import Conditions, Fake, FakeClock, answered, step
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.publishing.ports.upstream import Message, Outgoing, QueueDepth, SourceObject

VISIBLE_AGAIN_AFTER = timedelta(seconds=60)


MOST_RECEIVES = 5


MOST_MESSAGES = 10


class FakeScheduleSource(Fake):
    """Implements :class:`ScheduleSource`; ``put_id`` counts the puts."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self.objects: dict[ScheduleKey, SourceObject] = {}
        self._puts = 0

    def put(self, key: ScheduleKey, content: bytes) -> None:
        self._puts += 1
        self.objects[key] = SourceObject(content, f"put {self._puts}")

    def remove(self, key: ScheduleKey) -> None:
        self.objects.pop(key, None)

    def list_keys(self) -> Iterator[ScheduleKey]:
        self.conditions.checkpoint("list_keys")
        yield from sorted(self.objects)

    @answered
    def fetch(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, SourceObject | Exception | None]:
        found = {key: self._fetch_or_error(key) for key in self.in_any_order(keys)}
        return {key: found[key] for key in keys}

    def _fetch_or_error(self, key: ScheduleKey) -> SourceObject | Exception | None:
        try:
            return self._fetch_one(key)
        except ServiceError as error:
            return error

    @step
    def _fetch_one(self, key: ScheduleKey) -> SourceObject | None:
        return self.objects.get(key)


class FakeLegacyKeyspace(Fake):
    """Implements :class:`LegacyKeyspace`."""

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self.documents: dict[ScheduleKey, bytes] = {}
        self.refreshed = ""

    @answered
    @step
    def read(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, bytes]:
        return {key: self.documents[key] for key in keys if key in self.documents}

    def list_keys(self) -> Iterator[ScheduleKey]:
        self.conditions.checkpoint("list_keys")
        yield from sorted(self.documents)

    @answered
    @step
    def refreshed_at(self) -> str:
        return self.refreshed


@dataclass(slots=True)
class _Sent:
    message_id: str
    body: str
    sent_at: datetime
    visible_at: datetime
    reason: str = ""
    deliveries: int = 0


class FakeQueue(Fake):
    """Implements :class:`NotificationQueue`, with a dead-letter
    queue. A received message becomes visible again after a minute, unless it is deleted; after five deliveries it
    is dead. ``random`` shuffles, so that a test cannot rely on an order.
    """

    def __init__(self, conditions: Conditions, clock: FakeClock, random: Random, name: str) -> None:
        super().__init__(conditions)
        self.dead: list[str] = []
        self._clock = clock
        self._random = random
        self._name = name
        self._sent: dict[str, _Sent] = {}
        self._count = 0

    def post(self, body: str, delay: timedelta = timedelta(0), reason: str = "") -> None:
        """Send from the upstream; the message arrives after the delay."""
        self._count += 1
        message_id, now = f"{self._name}-{self._count}", self._clock()
        self._sent[message_id] = _Sent(message_id, body, now, now + delay, reason)

    def redrive(self) -> None:
        """Send the dead letters again, as an operator does."""
        bodies, self.dead = self.dead, []
        for body in bodies:
            self.post(body)

    def has_visible(self) -> bool:
        """Whether a message is visible now; has no checkpoint."""
        return bool(self._sent) and bool(self._visible())

    def is_empty(self) -> bool:
        """Whether every message is deleted or dead; has no checkpoint."""
        return not self._sent

    @answered
    @step
    def receive(self, wait_seconds: int) -> list[Message]:
        """It never waits, because the clock stands still."""
        self._bury()
        visible = self._visible()
        self._random.shuffle(visible)
        return [self._deliver(sent) for sent in visible[: self._random.randint(1, MOST_MESSAGES)]]

    @answered
    def delete(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._delete_one(message)

    @answered
    @step
    def show_again(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if message.message_id in self._sent:
                self._sent[message.message_id].visible_at = self._clock()

    @answered
    def send(self, messages: Sequence[Outgoing]) -> None:
        for message in messages:
            self._send_one(message)

    @answered
    @step
    def purge(self) -> None:
        self._sent.clear()

    @answered
    @step
    def depth(self) -> QueueDepth:
        self._bury()
        waiting = len(self._visible())
        return QueueDepth(waiting, len(self._sent) - waiting)

    @step
    def _send_one(self, message: Outgoing) -> None:
        self.post(message.body, reason=message.reason)

    @step
    def _delete_one(self, message: Message) -> None:
        sent = self._sent.get(message.message_id)
        if sent is not None and message.receipt == _receipt(sent):
            del self._sent[message.message_id]

    def _visible(self) -> list[_Sent]:
        now = self._clock()
        return [sent for sent in self._sent.values() if sent.visible_at <= now]

    def _deliver(self, sent: _Sent) -> Message:
        sent.deliveries += 1
        sent.visible_at = self._clock() + VISIBLE_AGAIN_AFTER
        return Message(sent.message_id, sent.body, sent.sent_at, _receipt(sent), sent.deliveries, sent.reason)

    def _bury(self) -> None:
        for sent in self._visible():
            if sent.deliveries >= MOST_RECEIVES:
                self.dead.append(sent.body)
                del self._sent[sent.message_id]


def _receipt(sent: _Sent) -> str:
    return f"{sent.message_id} for the {sent.deliveries}. time"
