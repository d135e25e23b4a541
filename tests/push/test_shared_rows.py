"""Reading the feed for many subscriptions."""

import pytest
from push_stage import EPOCH, KEY, OTHER, PushStage

from schedules_pipeline.publishing.ports.feed import FeedEntry
from schedules_pipeline.push.shared_rows import SharedRows


@pytest.fixture
def stage() -> PushStage:
    made = PushStage()
    for key in (KEY, OTHER, KEY, OTHER):
        made.publish(key)
    return made


def _positions(rows: list[FeedEntry] | None) -> list[str]:
    assert rows is not None
    return [row.position for row in rows]


def _count_reads(stage: PushStage) -> list[str]:
    """The positions that the feed is read after from now on."""
    reads: list[str] = []
    read = stage.store.feed.read_after

    def reading(position: str, limit: int) -> list[FeedEntry]:
        reads.append(position)
        return read(position, limit)

    stage.store.feed.read_after = reading  # type: ignore[method-assign]
    return reads


def test_rows_come_in_pages(stage: PushStage) -> None:
    """At most so many at once; after the last there are none."""
    rows = SharedRows(stage.store.feed, limit=3)

    assert _positions(rows.after("0", EPOCH)) == ["1", "2", "3"]
    assert _positions(rows.after("3", EPOCH)) == ["4"]
    assert _positions(rows.after("4", EPOCH)) == []


def test_those_equally_far_share_one_read(stage: PushStage) -> None:
    """The feed is asked once, however many want the same rows."""
    rows, reads = SharedRows(stage.store.feed, limit=3), _count_reads(stage)

    for _ in range(5):
        rows.after("0", EPOCH)

    assert reads == ["0"]


def test_that_there_was_nothing_is_not_remembered(stage: PushStage) -> None:
    """What comes later is found."""
    rows = SharedRows(stage.store.feed, limit=3)
    rows.after("4", EPOCH)

    stage.publish(KEY)

    assert _positions(rows.after("4", EPOCH)) == ["5"]


def test_rows_of_another_keyspace_are_others(stage: PushStage) -> None:
    """What was read in one life says nothing of the same place in the next."""
    rows, reads = SharedRows(stage.store.feed, limit=3), _count_reads(stage)

    rows.after("0", EPOCH)
    rows.after("0", "another")

    assert reads == ["0", "0"]


def test_only_the_latest_reads_are_remembered(stage: PushStage) -> None:
    """Memory is bounded, however many places there are."""
    rows = SharedRows(stage.store.feed, limit=1)
    for number in range(1_000):
        rows.after("0", f"life-{number}")

    assert len(rows._read) <= 64


def test_where_rows_are_gone_there_is_no_answer(stage: PushStage) -> None:
    """Also where they were read before; but not for who was told the last of all."""
    rows = SharedRows(stage.store.feed, limit=3)
    rows.after("0", EPOCH)
    stage.wait(days=9)
    stage.store.feed.trim(stage.clock())

    assert rows.after("0", EPOCH) is None
    assert rows.after("4", EPOCH) == []
