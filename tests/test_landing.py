"""How the benchmark of the latency finds the version that a change was published with."""

from datetime import datetime, timedelta
from typing import cast

from builders import BRAND_PID, KEY, NOON, a_cause, a_change

from benchmarks.landing import FeedReader, Sent
from schedules_pipeline.publishing.ports.feed import ChangeFeed, FeedEntry


class _Rows:
    """A feed that has these rows."""

    def __init__(self) -> None:
        self.rows: list[FeedEntry] = []

    def publish(self, at: datetime, *caused_at: datetime) -> None:
        """A version, caused by notifications of these times."""
        causes = tuple(a_cause(notified_at=each) for each in caused_at)
        change = a_change(seq=len(self.rows) + 1, published_at=at, causes=causes, cause_count=len(causes))
        self.rows.append(FeedEntry(f"{int(at.timestamp() * 1000)}-0", change))

    def last_position(self) -> str:
        return "0"

    def read_after(self, position: str, limit: int) -> list[FeedEntry]:
        return [row for row in self.rows if position == "0" or row.position > position][:limit]


def test_a_change_that_another_build_has_published_is_not_taken_for_a_later_one() -> None:
    """A change whose own event no version names was published by the next version, not by that of the item's next
    change, which was notified a minute later.
    """
    feed, second, minute = _Rows(), timedelta(seconds=1), timedelta(minutes=1)
    reader = FeedReader(cast("ChangeFeed", feed))
    feed.publish(NOON + second, NOON - second)
    feed.publish(NOON + minute + second, NOON + minute)
    sent = [Sent(at, str(BRAND_PID), frozenset({KEY})) for at in (NOON, NOON + minute)]

    reader.catch_up()
    landed = reader.find_all(sent)

    assert [one.since_sent for one in landed] == [1.0, 1.0]
    assert [one.overtaken for one in landed] == [1, 0]
