"""The guarantee to a slow receiver, with the pusher's own logic over a clock that only the requests move."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil

from hypothesis import given
from hypothesis import strategies as st
from push_stage import EPOCH, PushStage, events_in

from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.push.lanes import Sent
from schedules_pipeline.push.ports import Answer

_KEYS = [ScheduleKey.parse(f"alder_one/2026-03-{day:02}") for day in range(1, 31)]


@dataclass
class _Receiver:
    """Answers each request after ``seconds``; meanwhile changes are published at their times."""

    stage: PushStage
    seconds: float
    changes: list[tuple[float, int]]
    """Seconds after the start, and the number of the schedule."""
    under_way: list[tuple[datetime, Sent, Callable[[], Answer]]] = field(default_factory=list)
    published: list[tuple[str, int, datetime, int]] = field(default_factory=list)
    """A version, its time, and the number of schedules of which the receiver lacked the newest version then."""
    held: dict[str, int] = field(default_factory=dict)
    has_since: dict[tuple[str, int], datetime] = field(default_factory=dict)

    def lanes(self, count: int) -> "_VirtualLanes":
        return _VirtualLanes(self, count)

    def publish_until(self, at: datetime, start: datetime) -> None:
        while self.changes and start + timedelta(seconds=self.changes[0][0]) <= at:
            seconds, number = self.changes.pop(0)
            due = start + timedelta(seconds=seconds)
            if due > self.stage.clock():
                self.stage.clock.advance(due - self.stage.clock())
            key, seq = str(_KEYS[number]), self.stage.publish(_KEYS[number])
            missing = sum(latest > self.held.get(str(each), 0) for each, latest in self.stage.seqs.items())
            self.published.append((key, seq, due, missing))

    def arrival(self, key: str, number: int) -> datetime:
        """When the receiver had this version or a later one."""
        return min(at for (name, seq), at in self.has_since.items() if name == key and seq >= number)


@dataclass
class _VirtualLanes:
    """Implements :class:`Lanes`: waiting moves the clock to the next answer or the end of the wait."""

    receiver: _Receiver
    count: int

    def start(self, sent: Sent, post: Callable[[], Answer]) -> None:
        receiver = self.receiver
        busy = [change.key for _, other, _ in receiver.under_way for change in other.changes]
        assert not {change.key for change in sent.changes} & set(busy)
        assert len(receiver.under_way) < self.count
        ends = receiver.stage.clock() + timedelta(seconds=receiver.seconds)
        receiver.under_way.append((ends, sent, post))

    def under_way(self) -> int:
        return len(self.receiver.under_way)

    def ended(self, seconds: float | None) -> list[tuple[Sent, Answer]]:
        receiver, clock = self.receiver, self.receiver.stage.clock
        until = min(ends for ends, _, _ in receiver.under_way)
        if seconds is not None:
            until = min(until, clock() + timedelta(seconds=seconds))
        receiver.publish_until(until, _START)
        if until > clock():
            clock.advance(until - clock())
        done = [each for each in receiver.under_way if each[0] <= clock()]
        receiver.under_way = [each for each in receiver.under_way if each[0] > clock()]
        return [(sent, self._answer(sent, post)) for _, sent, post in done]

    def close(self) -> None:
        assert not self.receiver.under_way

    def _answer(self, sent: Sent, post: Callable[[], Answer]) -> Answer:
        answer = post()
        for event in events_in(self.receiver.stage.receiver.received[-1][2]):
            key = f"{event['data']['sid']}/{event['data']['date']}"
            seq = event["data"]["seq"]
            assert seq > self.receiver.held.get(key, 0), "a version is repeated, or an older one sent"
            self.receiver.held[key] = seq
            self.receiver.has_since[key, seq] = self.receiver.stage.clock()
        return answer


_START = PushStage().clock()


@given(
    outstanding=st.lists(st.integers(0, 29), min_size=1, max_size=60),
    changes=st.lists(st.tuples(st.floats(0, 20), st.integers(0, 29)), max_size=80),
    seconds=st.sampled_from([0.05, 0.3, 2.0]),
    concurrency=st.integers(1, 4),
    batch=st.integers(1, 8),
)
def test_a_receiver_has_what_is_outstanding_in_the_promised_time(
    outstanding: list[int], changes: list[tuple[float, int]], seconds: float, concurrency: int, batch: int
) -> None:
    """D changed schedules arrive within ceil(D / (concurrency * batch)) answers, whatever else changes. Requests that
    are under way already take one answer more, and so does the end of each turn. No version arrives twice, and none
    after a newer one.
    """
    stage = PushStage()
    stage.subscribe_webhook(concurrency=concurrency, batch=batch)
    receiver = _Receiver(stage, seconds, sorted(changes))
    pusher = stage.new_pusher(open_lanes=receiver.lanes)
    for number in outstanding:
        stage.publish(_KEYS[number])
    first = {str(key): seq for key, seq in stage.seqs.items()}
    ends_of_turns = []

    while receiver.changes or stage.standing().progress.position != stage.store.feed.last_position():
        pusher.push(stage.standing().subscription.name)
        ends_of_turns.append(stage.clock())
        if receiver.changes:
            receiver.publish_until(_START + timedelta(seconds=receiver.changes[0][0]), _START)

    answer = timedelta(seconds=seconds)
    initially = [(key, seq, _START - answer, len(first)) for key, seq in first.items()]
    for key, seq, at, missing in [*initially, *receiver.published]:
        arrival = receiver.arrival(key, seq)
        turns = sum(at < end < arrival for end in ends_of_turns)
        promised = (1 + ceil(missing / (concurrency * batch)) + turns) * answer
        assert arrival - at <= promised + timedelta(microseconds=100)
    assert receiver.held == {str(key): seq for key, seq in stage.seqs.items()}
    assert stage.standing().progress.epoch == EPOCH
