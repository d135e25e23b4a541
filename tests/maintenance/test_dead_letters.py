"""Dead letters: listing loses nothing, a replay sends before it deletes, and every loop ends."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.provision import AwsEndpoints, ProvisionedResources
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.maintenance.dead_letters import DeadLetters, ReplayResult
from schedules_pipeline.publishing.ports.upstream import Message, Outgoing, QueueDepth
from schedules_pipeline.upstream.queue import SqsQueue, batches_to_send

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)


class ListQueue:
    """Delivers two messages at a time, in order. It can fail, or repeat itself."""

    def __init__(self, *bodies: str) -> None:
        self.there = {f"id-{n}": body for n, body in enumerate(bodies, start=1)}
        self.hidden: set[str] = set()
        self.log: list[str] = []
        self.hides = True
        self.fails_at = ""

    def receive(self, wait_seconds: int) -> list[Message]:
        self._do("receive")
        visible = [id_ for id_ in self.there if id_ not in self.hidden][:2]
        if self.hides:
            self.hidden.update(visible)
        return [Message(id_, self.there[id_], _NOW, f"receipt of {id_}", 1) for id_ in visible]

    def delete(self, messages: Sequence[Message]) -> None:
        self._do("delete")
        for message in messages:
            del self.there[message.message_id]
            self.hidden.discard(message.message_id)

    def show_again(self, messages: Sequence[Message]) -> None:
        self._do("show again")
        self.hidden -= {message.message_id for message in messages}

    def send(self, messages: Sequence[Outgoing]) -> None:
        self._do("send")
        first = len(self.there) + 1
        self.there |= {f"id-{n}": message.body for n, message in enumerate(messages, start=first)}

    def purge(self) -> None:
        raise NotImplementedError

    def depth(self) -> QueueDepth:
        return QueueDepth(len(self.there) - len(self.hidden), len(self.hidden))

    def _do(self, what: str) -> None:
        self.log.append(what)
        if what == self.fails_at:
            raise ServiceError(f"{what} failed")


def test_listing_leaves_the_queue_unchanged() -> None:
    """Listed messages are visible again, and none is sent or deleted."""
    dead, queue = ListQueue("a", "b", "c"), ListQueue()

    found = DeadLetters(dead, queue).peek()

    assert [message.body for message in found] == ["a", "b", "c"]
    assert (dead.depth(), queue.log) == (QueueDepth(3, 0), [])


def test_a_failed_listing_hides_nothing() -> None:
    """If the queue stops answering half way, all messages are visible again."""
    dead = ListQueue("a", "b", "c")
    letters = DeadLetters(dead, ListQueue())
    receive = dead.receive

    def receive_once(wait_seconds: int) -> list[Message]:
        if dead.hidden:
            raise ServiceError("receive failed")
        return receive(wait_seconds)

    dead.receive = receive_once  # type: ignore[method-assign]

    with pytest.raises(ServiceError):
        letters.peek()

    assert dead.hidden == set()


def test_listing_ends_at_its_limit() -> None:
    """About as many messages are received as the limit allows."""
    dead = ListQueue("a", "b", "c", "d", "e")

    found = DeadLetters(dead, ListQueue()).peek(most=2)

    assert len(found) == 2


@pytest.mark.parametrize(
    "call", [DeadLetters.peek, DeadLetters.replay, DeadLetters.drop, lambda d: d.replay(["none"])]
)
def test_a_call_ends_although_messages_repeat(call: Callable[[DeadLetters], object]) -> None:
    """A queue that neither hides nor deletes its messages cannot keep a call busy for ever."""
    dead = ListQueue("a", "b", "c")
    dead.hides = False
    dead.delete = lambda messages: None  # type: ignore[method-assign]

    call(DeadLetters(dead, ListQueue()))

    assert dead.log.count("receive") < 10


def test_all_are_replayed() -> None:
    """Every message is in its original queue, and no longer a dead letter."""
    dead, queue = ListQueue("a", "b", "c"), ListQueue()

    handled = DeadLetters(dead, queue).replay()

    assert handled == ReplayResult(("id-1", "id-2", "id-3"), (), has_more=False)
    assert (sorted(queue.there.values()), dead.there) == (["a", "b", "c"], {})


def test_some_are_replayed() -> None:
    """The named messages are replayed, the others stay visible, and missing ids are reported."""
    dead, queue = ListQueue("a", "b", "c"), ListQueue()

    handled = DeadLetters(dead, queue).replay(["id-2", "id-9"])

    assert handled == ReplayResult(("id-2",), ("id-9",), has_more=False)
    assert list(queue.there.values()) == ["b"]
    assert (sorted(dead.there), dead.hidden) == (["id-1", "id-3"], set())


def test_nothing_is_deleted_that_could_not_be_sent() -> None:
    """If sending fails, every message is still a dead letter, and visible."""
    dead, queue = ListQueue("a", "b", "c"), ListQueue()
    queue.fails_at = "send"

    with pytest.raises(ServiceError, match="send failed"):
        DeadLetters(dead, queue).replay()

    assert (dead.depth(), "delete" in dead.log) == (QueueDepth(3, 0), False)


def test_a_letter_that_could_not_be_deleted_is_in_both() -> None:
    """If deleting fails, the message is in both queues: a duplicate is harmless, a loss is not."""
    dead, queue = ListQueue("a"), ListQueue()
    dead.fails_at = "delete"

    with pytest.raises(ServiceError, match="delete failed"):
        DeadLetters(dead, queue).replay()

    assert (list(queue.there.values()), dead.depth()) == (["a"], QueueDepth(1, 0))


def test_a_letter_is_replayed_once_a_call() -> None:
    """A message that is delivered again, because its deletion had no effect, is not sent again."""
    dead, queue = ListQueue("a"), ListQueue()
    dead.hides = False
    dead.delete = lambda messages: None  # type: ignore[method-assign]

    DeadLetters(dead, queue).replay()

    assert list(queue.there.values()) == ["a"]


def test_a_replay_says_that_there_may_be_more() -> None:
    """It stops at its limit and reports that."""
    dead = ListQueue("a", "b", "c", "d")

    handled = DeadLetters(dead, ListQueue()).replay(most=2)

    assert (len(handled.done), handled.has_more, len(dead.there)) == (2, True, 2)


def test_letters_are_dropped() -> None:
    """Dropped messages are deleted and not sent."""
    dead, queue = ListQueue("a", "b", "c"), ListQueue()

    handled = DeadLetters(dead, queue).drop(["id-1", "id-3"])

    assert handled.done == ("id-1", "id-3")
    assert (list(dead.there.values()), queue.log) == (["b"], [])


# On the emulator


@pytest.fixture
def queues(aws_endpoints: AwsEndpoints, provisioned: ProvisionedResources) -> tuple[SqsQueue, SqsQueue]:
    """A queue and its dead-letter queue, as they are provisioned."""
    sqs = aws_endpoints.sqs()
    return SqsQueue(sqs, "catalogue-events"), SqsQueue(sqs, "catalogue-events-dead")


def test_on_sqs_listing_loses_nothing(queues: tuple[SqsQueue, SqsQueue]) -> None:
    """More messages than one call receives are all found, and all found again by the next listing."""
    queue, dead = queues
    bodies = [f"body {number}" for number in range(25)]
    dead.send([Outgoing(body) for body in bodies])
    letters = DeadLetters(dead, queue)

    first, second = letters.peek(), letters.peek()

    assert sorted(message.body for message in first) == sorted(bodies)
    assert {m.message_id for m in first} == {m.message_id for m in second}


def test_on_sqs_letters_are_replayed_and_dropped(queues: tuple[SqsQueue, SqsQueue]) -> None:
    """One message is replayed, one dropped, and the rest replayed; no dead letter remains."""
    queue, dead = queues
    dead.send([Outgoing("a"), Outgoing("b"), Outgoing("c")])
    letters = DeadLetters(dead, queue)
    by_body = {message.body: message.message_id for message in letters.peek()}

    dropped = letters.drop([by_body["b"]])
    one = letters.replay([by_body["a"]])
    rest = letters.replay()

    assert [h.done for h in (dropped, one, rest)] == [(by_body["b"],), (by_body["a"],), (by_body["c"],)]
    assert (letters.depth().waiting, letters.depth().in_flight) == (0, 0)
    assert sorted(message.body for message in DeadLetters(queue, dead).peek()) == ["a", "c"]


def test_on_sqs_a_stale_receipt_is_no_error(queues: tuple[SqsQueue, SqsQueue]) -> None:
    """Making a deleted message visible again has no effect."""
    _, dead = queues
    dead.send([Outgoing("a")])
    [message] = dead.receive(1)
    dead.delete([message])

    dead.show_again([message, replace(message, receipt="no such receipt")])

    assert (dead.depth().waiting, dead.depth().in_flight) == (0, 0)


def test_on_sqs_a_replay_fills_batches_by_bytes(queues: tuple[SqsQueue, SqsQueue]) -> None:
    """Ten large messages, of which one call could not send all, are replayed; so is one larger than a batch."""
    queue, dead = queues
    bodies = [str(number) * 200_000 for number in range(10)] + ["x" * 1_000_000]
    dead.send([Outgoing(body) for body in bodies])

    handled = DeadLetters(dead, queue).replay()

    assert len(handled.done) == len(bodies)
    assert sorted(message.body for message in DeadLetters(queue, dead).peek()) == sorted(bodies)


def test_on_sqs_a_reason_is_kept(queues: tuple[SqsQueue, SqsQueue]) -> None:
    """It is an attribute of the message: cut, without characters that SQS rejects, and absent without room for it."""
    queue, dead = queues
    largest = "x" * 1_048_576
    dead.send([Outgoing("a", "not JSON: \x00 é\ud800"), Outgoing("b"), Outgoing("c", "x" * 9_000)])
    dead.send([Outgoing(largest, "reason")])

    reasons = {message.body: message.reason for message in DeadLetters(dead, queue).peek()}

    assert reasons == {"a": "not JSON: ? é?", "b": "", "c": "x" * 500, largest: ""}


@given(
    st.lists(
        st.builds(Outgoing, st.sampled_from(["", "é" * 70_000, "x" * 262_144, "y" * 900_000]), st.text())
    )
)
def test_batches_are_within_the_limits(messages: list[Outgoing]) -> None:
    """A batch has at most ten messages and 262,144 bytes, or is one larger message; none is lost or moved."""
    batches = list(batches_to_send(messages))

    assert [message for batch in batches for message in batch] == messages
    for batch in batches:
        assert 1 <= len(batch) <= 10
        assert len(batch) == 1 or sum(len(message.body.encode()) for message in batch) <= 262_144
