"""Shared reads of the feed."""

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
    """Record the positions of all further reads."""
    reads: list[str] = []
    read = stage.store.feed.read_after

    def reading(position: str, limit: int) -> list[FeedEntry]:
        reads.append(position)
        return read(position, limit)

    stage.store.feed.read_after = reading  # type: ignore[method-assign]
    return reads


def test_rows_come_in_pages(stage: PushStage) -> None:
    """A page has at most ``limit`` rows; the page after the last row is empty."""
    rows = SharedRows(stage.store.feed, limit=3)

    assert _positions(rows.after("0", EPOCH)) == ["1", "2", "3"]
    assert _positions(rows.after("3", EPOCH)) == ["4"]
    assert _positions(rows.after("4", EPOCH)) == []


def test_equal_positions_share_one_read(stage: PushStage) -> None:
    """Five readers at one position cause one read of the feed."""
    rows, reads = SharedRows(stage.store.feed, limit=3), _count_reads(stage)

    for _ in range(5):
        rows.after("0", EPOCH)

    assert reads == ["0"]


def test_an_empty_page_is_not_remembered(stage: PushStage) -> None:
    """Later rows are found."""
    rows = SharedRows(stage.store.feed, limit=3)
    rows.after("4", EPOCH)

    stage.publish(KEY)

    assert _positions(rows.after("4", EPOCH)) == ["5"]


def test_another_keyspace_is_read_anew(stage: PushStage) -> None:
    """The same position in another epoch causes another read."""
    rows, reads = SharedRows(stage.store.feed, limit=3), _count_reads(stage)

    rows.after("0", EPOCH)
    rows.after("0", "another")

    assert reads == ["0", "0"]


def test_only_the_latest_reads_are_remembered(stage: PushStage) -> None:
    """Memory stays bounded for any number of positions."""
    rows = SharedRows(stage.store.feed, limit=1)
    for number in range(1_000):
        rows.after("0", f"life-{number}")

    assert len(rows._read) <= 64


def test_trimmed_rows_are_reported(stage: PushStage) -> None:
    """None is returned even for remembered rows, but not after the last trimmed position."""
    rows = SharedRows(stage.store.feed, limit=3)
    rows.after("0", EPOCH)
    stage.wait(days=9)
    stage.store.feed.trim(stage.clock())

    assert rows.after("0", EPOCH) is None
    assert rows.after("4", EPOCH) == []
