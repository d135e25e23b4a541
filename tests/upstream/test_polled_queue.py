"""The record of the polls of a queue, over a fake queue in place of SQS."""

from datetime import timedelta
from operator import attrgetter
from random import Random
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from fakes import Conditions, FakeClock, FakeQueue

from schedules_pipeline.upstream import queue
from schedules_pipeline.upstream.queue import PolledSqsQueue, SqsQueue


class Polled:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = FakeClock()
        self.messages = FakeQueue(Conditions(), self.clock, Random(0), "schedule")
        self.record = Mock()
        self.queue = PolledSqsQueue(Mock(), "schedule-events", self.record, self.clock)
        monkeypatch.setattr(SqsQueue, "receive", lambda _, wait: self.messages.receive(wait))


@pytest.fixture
def polled(monkeypatch: pytest.MonkeyPatch) -> Polled:
    return Polled(monkeypatch)


def test_a_poll_records_its_oldest_message(polled: Polled) -> None:
    """The message that was sent first counts."""
    first = polled.clock()
    polled.messages.post("a")
    polled.clock.advance(timedelta(seconds=5))
    polled.messages.post("b")

    messages = polled.queue.receive(1)

    assert {m.body for m in messages} == {"a", "b"}
    polled.record.assert_called_once_with(polled.clock(), first)


def test_an_empty_poll_records_its_beginning(polled: Polled) -> None:
    """Messages that come during a poll count as having come after it."""
    assert polled.queue.receive(1) == []

    polled.record.assert_called_once_with(polled.clock(), None)


def test_an_empty_short_poll_records_nothing(polled: Polled) -> None:
    """A poll that does not wait asks only some of the servers of a queue."""
    polled.queue.receive(0)

    polled.record.assert_not_called()


def test_of_polls_with_messages_that_follow_each_other_one_is_recorded_each_quarter_second(
    polled: Polled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The estimated age is too high by so much at most; a poll without messages is recorded at once."""
    now = [1000.0]
    monkeypatch.setattr(queue, "time", SimpleNamespace(monotonic=lambda: now[0]))
    for later in (0.0, 0.1, 0.2):
        now[0] += later
        polled.messages.post("a")
        polled.queue.receive(1)
    polled.queue.receive(1)

    recorded = [
        oldest_sent_at is not None
        for _, oldest_sent_at in map(attrgetter("args"), polled.record.call_args_list)
    ]
    assert recorded == [True, True, False]
