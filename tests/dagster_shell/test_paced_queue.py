"""A queue that is polled again and again, while handled messages are deleted in the background."""

from collections.abc import Sequence
from datetime import UTC, datetime
from threading import Event
from types import SimpleNamespace

import pytest

from schedules_pipeline.errors import ServiceError
from schedules_pipeline.jobs import paced_queue
from schedules_pipeline.jobs.paced_queue import PacedQueue
from schedules_pipeline.publishing.ports.upstream import MOST_RECEIVED, Message


def _message(number: int) -> Message:
    return Message(f"m{number}", "", datetime(2026, 3, 28, tzinfo=UTC), f"r{number}", 1)


class _Source:
    """Delivers what the test says, and notes what is deleted at once."""

    def __init__(self, *deliveries: int) -> None:
        self.deleted: list[Sequence[Message]] = []
        self.fails = 0
        self.polls = 0
        self._deliveries = iter(deliveries)

    def receive(self, wait_seconds: int) -> list[Message]:
        self.polls += 1
        return [_message(number) for number in range(next(self._deliveries))]

    def delete(self, messages: Sequence[Message]) -> None:
        self.deleted.append(messages)
        if self.fails:
            self.fails -= 1
            raise ServiceError("queue: no answer")


class _Waits(Event):
    """Never set; notes for how long it was waited, in milliseconds."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[int] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(round((timeout or 0) * 1000))
        return False


@pytest.mark.parametrize(
    ("pending", "rest"),
    [
        pytest.param(0, 10, id="nothing waits to be built"),
        pytest.param(30, 30, id="a batch waits"),
        pytest.param(300, 50, id="more waits than is built soon"),
    ],
)
def test_a_queue_rests_while_what_it_brought_waits_to_be_built(
    monkeypatch: pytest.MonkeyPatch, pending: int, rest: int
) -> None:
    """More messages come together then, and none would be built sooner. A queue without messages is polled at once."""
    now, waits = [1000.0], _Waits()
    monkeypatch.setattr(paced_queue, "time", SimpleNamespace(monotonic=lambda: now[0]))
    queue = PacedQueue(_Source(1, 0, 0), waits)

    queue.receive(1)
    queue.rest(pending)
    queue.receive(1)
    now[0] += 1
    queue.receive(1)

    assert waits.pauses == [0, rest, 0]


def test_a_queue_with_more_messages_than_a_poll_gives_does_not_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its next messages are there already."""
    waits = _Waits()
    monkeypatch.setattr(paced_queue, "time", SimpleNamespace(monotonic=lambda: 1000.0))
    queue = PacedQueue(_Source(MOST_RECEIVED, 1, 1), waits)

    for _ in range(3):
        queue.receive(1)
        queue.rest(pending=20)

    assert waits.pauses == [0, 0, 20]


def test_no_poll_begins_after_the_publisher_was_told_to_stop() -> None:
    """A message that is received by a process that ends would come back after minutes."""
    source, stop = _Source(1), Event()
    stop.set()

    assert PacedQueue(source, stop).receive(1) == []
    assert source.polls == 0


def test_handled_messages_are_deleted_together_at_the_latest_at_the_end() -> None:
    """One request deletes what several polls have brought."""
    source = _Source()
    queue = PacedQueue(source, Event())
    queue.delete([_message(1)])
    queue.delete([_message(2), _message(3)])
    with queue:
        pass

    assert source.deleted == [[_message(1), _message(2), _message(3)]]


def test_a_deletion_that_fails_ends_no_other() -> None:
    """Its messages come again."""
    source, gone = _Source(), Event()
    source.fails = 1
    with PacedQueue(source, Event()) as queue:
        queue.delete([_message(1)])
        while not source.deleted:
            gone.wait(0.01)
        queue.delete([_message(2)])

    assert source.deleted == [[_message(1)], [_message(2)]]
