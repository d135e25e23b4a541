"""A queue that the threads of a publisher share."""

from collections.abc import Sequence
from datetime import UTC, datetime
from threading import Event, Thread
from types import SimpleNamespace

import pytest

from schedules_pipeline.errors import ServiceError
from schedules_pipeline.jobs import shared_queue
from schedules_pipeline.jobs.shared_queue import SharedQueue
from schedules_pipeline.publishing.ports.upstream import MOST_RECEIVED, Message

_PATIENCE_SECONDS = 30.0


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
    """Never set; notes how long it was waited for, and whether that was at all."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[bool] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(bool(timeout))
        return False


@pytest.mark.parametrize(
    ("deliveries", "seconds_between", "paused"),
    [
        pytest.param([1, 1, 1], 10.0, [False, False, False], id="idle"),
        pytest.param([1, 1, 1, 1], 0.0, [False, False, True, True], id="busy"),
        pytest.param([0, 0, 0], 0.0, [False, False, False], id="empty"),
        pytest.param([MOST_RECEIVED] * 3, 0.0, [False, False, False], id="more is waiting"),
    ],
)
def test_a_busy_queue_is_polled_less_often(
    monkeypatch: pytest.MonkeyPatch, deliveries: list[int], seconds_between: float, paused: list[bool]
) -> None:
    """One that delivers a few messages again and again; a message to an idle queue, or a full poll, waits for none."""
    now, waits = [1000.0], _Waits()
    monkeypatch.setattr(shared_queue, "time", SimpleNamespace(monotonic=lambda: now[0]))
    queue = SharedQueue(_Source(*deliveries), waits)

    for _ in deliveries:
        queue.receive(1)
        now[0] += seconds_between

    assert waits.pauses == paused


def test_one_thread_polls_at_a_time() -> None:
    """The next one polls when it has an answer, but not when the publisher has been told to stop meanwhile."""
    is_polling, may_answer, stop = Event(), Event(), Event()

    class AnswersLater(_Source):
        def receive(self, wait_seconds: int) -> list[Message]:
            is_polling.set()
            may_answer.wait(_PATIENCE_SECONDS)
            return super().receive(wait_seconds)

    source = AnswersLater(0)
    queue = SharedQueue(source, stop)
    threads = [Thread(target=queue.receive, args=(1,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert is_polling.wait(_PATIENCE_SECONDS)
    stop.set()
    may_answer.set()
    for thread in threads:
        thread.join(_PATIENCE_SECONDS)

    assert source.polls == 1


def test_handled_messages_are_deleted_together_at_the_latest_at_the_end() -> None:
    """One request deletes what several polls have brought."""
    source = _Source()
    queue = SharedQueue(source, Event())
    queue.delete([_message(1)])
    queue.delete([_message(2), _message(3)])
    with queue:
        pass

    assert source.deleted == [[_message(1), _message(2), _message(3)]]


def test_a_deletion_that_fails_ends_no_other() -> None:
    """Its messages come again."""
    source, gone = _Source(), Event()
    source.fails = 1
    with SharedQueue(source, Event()) as queue:
        queue.delete([_message(1)])
        while not source.deleted:
            gone.wait(0.01)
        queue.delete([_message(2)])

    assert source.deleted == [[_message(1)], [_message(2)]]
