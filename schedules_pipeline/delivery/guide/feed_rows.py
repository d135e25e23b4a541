"""The row of a version in the change feed, as partners read it. Blocking."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from schedules_pipeline.delivery.changes import change_fields, render_json
from schedules_pipeline.documents.cursors import FeedCursor, render_cursor
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.publishing.explain_version import CLOCKS_DIFFER_BY
from schedules_pipeline.publishing.ports.feed import ChangeFeed, FeedEntry, place

MOST_ROWS: Final = 10_000
"""The search ends after so many rows."""

_ROWS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class FeedRow:
    """``text``: the row as partners read it. ``since``: the cursor directly before the row.
    ``cursor``: the row's own, after which a partner continues.
    """

    text: str
    since: str
    cursor: str


def find_row(feed: ChangeFeed, epoch: str, version: Change) -> FeedRow | None:
    """None if the feed has lost the row, or has it more than :data:`MOST_ROWS` rows after the version's publication.

    ``epoch``: of the keyspace. The version's time and the feed's positions are of different clocks.
    """
    before = feed.position_before(version.published_at - CLOCKS_DIFFER_BY)
    for entry in islice(_rows_after(feed, before), MOST_ROWS):
        if (entry.change.key, entry.change.seq) == (version.key, version.seq):
            since = max(before, feed.complete_after(), key=place)
            row = render_json(change_fields(entry.change)).decode()
            return FeedRow(row, *(render_cursor(FeedCursor(epoch, at)) for at in (since, entry.position)))
        before = entry.position
    return None


def _rows_after(feed: ChangeFeed, position: str) -> Iterator[FeedEntry]:
    while entries := feed.read_after(position, _ROWS_AT_ONCE):
        yield from entries
        position = entries[-1].position
