"""Finds a change that was sent in the change feed again: by what each published version says caused it.

Belongs here: reading the feed, and deciding which version shows a change. Does not belong here: waiting.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.ports.feed import ChangeFeed, FeedEntry

_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Sent:
    """One change: when it was sent, what it is about (a pid or a schedule key), and what has to show it."""

    sent_at: datetime
    subject: str
    keys: frozenset[ScheduleKey]


@dataclass(frozen=True, slots=True)
class Landed:
    """Seconds until the change was published: for each schedule from sending, and for the last of them."""

    each: Sequence[float]
    since_sent: float
    since_notified: float
    overtaken: int


class FeedReader:
    """The rows of the change feed since it was made, by schedule."""

    def __init__(self, feed: ChangeFeed) -> None:
        self._feed = feed
        self._position = "0"
        self._rows: dict[ScheduleKey, list[FeedEntry]] = defaultdict(list)
        self.rows = 0
        self.catch_up()
        self._rows.clear()

    def catch_up(self) -> None:
        while entries := self._feed.read_after(self._position, _AT_ONCE):
            self._position = entries[-1].position
            self.rows += len(entries)
            for entry in entries:
                self._rows[entry.change.key].append(entry)

    def find(self, sent: Sent, *, settled: bool = False) -> Landed | None:
        """Where the change was published; None as long as a schedule lacks it.

        The version that shows it names it as a cause. A build that was faster than the mark may have shown
        it before, under another cause, and then the mark changed nothing; so once all is ``settled`` the
        first version since the sending counts where none names it. Those are told as ``overtaken``.
        """
        named = {key: _naming(sent, self._rows[key]) for key in sent.keys}
        overtaken = [key for key, entry in named.items() if entry is None]
        found = [entry for entry in named.values() if entry is not None]
        if settled:
            found += [entry for key in overtaken if (entry := _since(sent, self._rows[key]))]
        if len(found) < len(sent.keys):
            return None
        each = [(_published_at(entry) - sent.sent_at).total_seconds() for entry in found]
        last = found[each.index(max(each))]
        notified_at = _notified_at(sent, last)
        return Landed(each, max(each), (_published_at(last) - notified_at).total_seconds(), len(overtaken))


def _naming(sent: Sent, entries: Sequence[FeedEntry]) -> FeedEntry | None:
    return next((entry for entry in entries if _notified_at(sent, entry) > sent.sent_at), None)


def _since(sent: Sent, entries: Sequence[FeedEntry]) -> FeedEntry | None:
    return next((entry for entry in entries if entry.change.published_at >= sent.sent_at), None)


def _notified_at(sent: Sent, entry: FeedEntry) -> datetime:
    raise NotImplementedError


def _published_at(entry: FeedEntry) -> datetime:
    """When Redis appended the row, in whole milliseconds."""
    return datetime.fromtimestamp(int(entry.position.partition("-")[0]) / 1000, UTC)
