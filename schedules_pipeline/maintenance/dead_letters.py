"""Lists, replays and drops dead letters.

A queue shows its messages only by delivering them, which hides them for a while. Messages that are neither
replayed nor dropped are therefore made visible again at the end, also after a failure. Every call ends: after
some rounds without a new message, and at a maximum number of messages.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from schedules_pipeline.errors import ServiceError
from schedules_pipeline.publishing.ports.upstream import Message, NotificationQueue, Outgoing, QueueDepth

MOST_AT_ONCE = 10_000
_ROUNDS_WITHOUT_NEWS = 5
"""A call ends after so many rounds of messages that it has received before."""

_WAIT_SECONDS = 1
"""A long poll asks every server of the queue; a short one may miss messages."""


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """``done``: ids that were replayed or dropped. ``missing``: ids that were asked for and not found.
    ``has_more``: the call stopped at its limit.
    """

    done: tuple[str, ...]
    missing: tuple[str, ...]
    has_more: bool


class PartlyHandled(ServiceError):
    """A queue failed in the middle of a replay or a drop. ``result`` has what was done before that."""

    def __init__(self, error: ServiceError, result: ReplayResult) -> None:
        super().__init__(str(error))
        self.result = result


@dataclass(frozen=True, slots=True)
class _Received:
    """The latest delivery of each message that a call received, and the ids and bodies of those that it deleted."""

    messages: dict[str, Message] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    bodies: set[str] = field(default_factory=set)


def _is_back(message: Message, done: Collection[str]) -> bool:
    """Whether the intake has rejected this body again since this call sent it. To send it once more has no end."""
    return bool(message.reason) and message.body in done


Handle = Callable[[Sequence[Message]], None]


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """The dead letters of one queue."""

    dead: NotificationQueue
    queue: NotificationQueue

    def depth(self) -> QueueDepth:
        return self.dead.depth()

    def peek(self, most: int = MOST_AT_ONCE) -> list[Message]:
        """Messages, oldest first, as many as the queue delivered. All of them stay in the queue."""
        received = _Received()
        self._receive(received, most, frozenset(), lambda _: None)
        return sorted(received.messages.values(), key=lambda message: (message.sent_at, message.message_id))

    def replay(self, ids: Collection[str] | None = None, most: int = MOST_AT_ONCE) -> ReplayResult:
        """Send these messages, or all, to the queue that they came from, then delete them here.

        A crash in between leaves a message in both queues, which is harmless: it only announces a change. Raises
        :class:`PartlyHandled` if a queue fails.
        """
        return self._handle(ids, most, lambda messages: self.queue.send([Outgoing(m.body) for m in messages]))

    def drop(self, ids: Collection[str] | None = None, most: int = MOST_AT_ONCE) -> ReplayResult:
        """Delete these messages, or all. Raises :class:`PartlyHandled` if the queue fails."""
        return self._handle(ids, most, lambda _: None)

    def _handle(self, ids: Collection[str] | None, most: int, before_deletion: Handle) -> ReplayResult:
        received = _Received()
        try:
            self._receive(received, most, None if ids is None else frozenset(ids), before_deletion)
        except ServiceError as error:
            done = ReplayResult(tuple(sorted(received.deleted)), (), has_more=True)
            raise PartlyHandled(error, done) from error
        missing = () if ids is None else tuple(sorted(set(ids) - received.deleted))
        has_more = len(received.messages) >= most and (ids is None or bool(missing))
        return ReplayResult(tuple(sorted(received.deleted)), missing, has_more)

    def _receive(
        self, received: _Received, most: int, ids: frozenset[str] | None, before_deletion: Handle
    ) -> None:
        """Receive new messages up to the limits; handle and delete those of ``ids``, or all if it is None."""

        def is_chosen(message: Message) -> bool:
            return not _is_back(message, received.bodies) if ids is None else message.message_id in ids

        rounds_without_news = 0
        try:
            while len(received.messages) < most and rounds_without_news < _ROUNDS_WITHOUT_NEWS:
                messages = self.dead.receive(_WAIT_SECONDS)
                if not messages:
                    break
                new = [message for message in messages if message.message_id not in received.messages]
                # A later delivery replaces the receipt of an earlier one.
                received.messages.update({message.message_id: message for message in messages})
                rounds_without_news = 0 if new else rounds_without_news + 1
                if chosen := [m for m in new if is_chosen(m)]:
                    before_deletion(chosen)
                    self.dead.delete(chosen)
                    received.deleted.update(message.message_id for message in chosen)
                    received.bodies.update(message.body for message in chosen)
                if ids and received.deleted.issuperset(ids):
                    break
        finally:
            if left := [m for id_, m in received.messages.items() if id_ not in received.deleted]:
                self.dead.show_again(left)
