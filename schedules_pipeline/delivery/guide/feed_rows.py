"""The row of a version in the change feed, as partners read it. Blocking."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from schedules_pipeline.delivery.changes import change_fields, render_json
from schedules_pipeline.documents.cursors import FeedCursor, render_cursor
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.publishing.explain_version import CLOCKS_DIFFER_BY
from schedules_pipeline.publishing.ports.feed import ChangeFeed, FeedEntry, place

_MOST_ROWS: Final = 5_000
_ROWS_AT_ONCE = 500
_BEFORE: Final = (timedelta(seconds=1), CLOCKS_DIFFER_BY)
"""How long before the version's time a search begins, which reads all that others published meanwhile. The version's
time and the feed's positions are of different clocks, and those seldom differ by a second.
"""


@dataclass(frozen=True, slots=True)
class FeedRow:
    """``text``: the row as partners read it. ``since``: the cursor directly before the row.
    ``cursor``: the row's own, after which a partner continues.
    """

    text: str
    since: str
    cursor: str


def find_row(feed: ChangeFeed, epoch: str, version: Change) -> FeedRow | None:
    """None if the feed has lost the row, or has it thousands of rows after the version's publication.

    ``epoch``: of the keyspace.
    """
    lost_until = place(feed.complete_after())
    if place(feed.position_before(version.published_at + CLOCKS_DIFFER_BY)) <= lost_until:
        return None
    searches = (_find_row(feed, epoch, version, version.published_at - ahead) for ahead in _BEFORE)
    return next(filter(None, searches), None)


def _find_row(feed: ChangeFeed, epoch: str, version: Change, begin: datetime) -> FeedRow | None:
    before = feed.position_before(begin)
    for entry in islice(_rows_after(feed, before), _MOST_ROWS):
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
