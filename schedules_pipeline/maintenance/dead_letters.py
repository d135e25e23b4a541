"""What operators do with messages that nobody could handle: look at them, send them again, drop them.

A queue has no other way to look than to receive, which hides a message for a while. So whatever is not replayed
or dropped is shown again at the end, also where something failed; and every loop ends, however often the same
messages come: after a few rounds that bring nothing new, and after so many messages at the most.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from schedules_pipeline.publishing.ports.upstream import Message, NotificationQueue, QueueDepth

MOST_AT_ONCE = 10_000
_ROUNDS_IN_VAIN = 5
"""So many rounds of messages that came before, as their time of being hidden ran out, end a call."""

_WAIT_SECONDS = 1
"""A long poll asks every server of the queue; without one a message that is there may be missed."""


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """``done``: replayed or dropped. ``missing``: asked for, and not found. ``has_more``: it stopped at its
    bound, and there may be more.
    """

    done: tuple[str, ...]
    missing: tuple[str, ...]
    has_more: bool


@dataclass(slots=True)
class _Round:
    """What one call has received so far: the latest delivery of each message."""

    received: dict[str, Message] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)

    def take(self, messages: Sequence[Message]) -> list[Message]:
        """Those that are new; a later delivery replaces the receipt of an earlier one."""
        new = [message for message in messages if message.message_id not in self.received]
        self.received.update({message.message_id: message for message in messages})
        return new

    def left(self) -> list[Message]:
        return [message for id_, message in self.received.items() if id_ not in self.done]


class DeadLetters:
    """The dead letters of one queue."""

    def __init__(self, dead: NotificationQueue, queue: NotificationQueue) -> None:
        self._dead = dead
        self._queue = queue

    def depth(self) -> QueueDepth:
        return self._dead.depth()

    def look(self, most: int = MOST_AT_ONCE) -> list[Message]:
        """The oldest first, as far as they could be had; all are in the queue as before."""
        with self._round() as round_:
            for _ in self._receive(round_, most):
                pass
            return sorted(round_.received.values(), key=lambda message: (message.sent_at, message.message_id))

    def replay(self, ids: Collection[str] | None = None, most: int = MOST_AT_ONCE) -> ReplayResult:
        """Send these, or all, to the queue that they came from, and only then delete them here.

        A death in between leaves a message in both, which is harmless: it only says that something changed.
        """
        return self._handle(ids, most, lambda messages: self._queue.send([m.body for m in messages]))

    def drop(self, ids: Collection[str] | None = None, most: int = MOST_AT_ONCE) -> ReplayResult:
        """Delete these, or all."""
        return self._handle(ids, most, lambda _: None)

    def _handle(
        self, ids: Collection[str] | None, most: int, first: Callable[[Sequence[Message]], None]
    ) -> ReplayResult:
        with self._round() as round_:
            for new in self._receive(round_, most):
                chosen = [message for message in new if ids is None or message.message_id in ids]
                if chosen:
                    first(chosen)
                    self._dead.delete(chosen)
                    round_.done.update(message.message_id for message in chosen)
                if ids is not None and round_.done.issuperset(ids):
                    break
            missing = () if ids is None else tuple(sorted(set(ids) - round_.done))
            has_more = len(round_.received) >= most and (ids is None or bool(missing))
            return ReplayResult(tuple(sorted(round_.done)), missing, has_more)

    def _receive(self, round_: _Round, most: int) -> Iterator[list[Message]]:
        """New messages, until there are none or there were enough."""
        in_vain = 0
        while len(round_.received) < most and in_vain < _ROUNDS_IN_VAIN:
            messages = self._dead.receive(_WAIT_SECONDS)
            if not messages:
                return
            new = round_.take(messages)
            in_vain = 0 if new else in_vain + 1
            yield new

    @contextmanager
    def _round(self) -> Iterator[_Round]:
        round_ = _Round()
        try:
            yield round_
        finally:
            if left := round_.left():
                self._dead.show_again(left)
