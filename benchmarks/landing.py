"""Finds the published versions of a sent change in the change feed, by the causes that each version names."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from schedules_pipeline.domain.causes import Cause
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports.feed import ChangeFeed, FeedEntry

_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Sent:
    """A sent change. ``subject``: a pid or a schedule key; ``keys``: the schedules that must change.

    ``sent_at`` is in whole milliseconds, like the queue's own times.
    """

    sent_at: datetime
    subject: str
    keys: frozenset[ScheduleKey]


@dataclass(frozen=True, slots=True)
class Landed:
    """Seconds until publication: from sending for each schedule, from sending and notification for the last one.

    ``overtaken``: the number of schedules that were published with the change before their mark was processed.
    ``row``: of the schedule that was published last. ``cause``: its event; None if the row does not name it.
    """

    sent: Sent
    each: Sequence[float]
    since_sent: float
    since_notified: float
    overtaken: int
    row: FeedEntry
    cause: Cause | None


@dataclass(frozen=True, slots=True)
class _Showing:
    """The first version of a schedule with the change, in seconds from sending and from notification."""

    since_sent: float
    since_notified: float
    row: FeedEntry
    cause: Cause | None


class FeedReader:
    """The later rows of the change feed, by schedule, and by schedule and the subject of a cause."""

    def __init__(self, feed: ChangeFeed) -> None:
        self._feed = feed
        self._rows: dict[ScheduleKey, list[FeedEntry]] = defaultdict(list)
        self._caused: dict[tuple[ScheduleKey, str], list[tuple[Cause, FeedEntry]]] = defaultdict(list)
        self._position = feed.last_position()

    @property
    def count(self) -> int:
        return sum(map(len, self._rows.values()))

    def catch_up(self) -> None:
        """Read the rows since the last call."""
        while entries := self._feed.read_after(self._position, _AT_ONCE):
            self._position = entries[-1].position
            for entry in entries:
                self._rows[entry.change.key].append(entry)
                for cause in entry.change.causes:
                    self._caused[entry.change.key, cause.subject].append((cause, entry))

    def find_all(self, sent: Sequence[Sent]) -> list[Landed]:
        """Where each change was published, once everything is."""
        again: dict[str, datetime] = {}
        found = []
        for change in reversed(sent):
            found.append(self.find(change, settled=True, again_at=again.get(change.subject)))
            again[change.subject] = change.sent_at
        return [landed for landed in reversed(found) if landed is not None]

    def find(self, sent: Sent, *, settled: bool = False, again_at: datetime | None = None) -> Landed | None:
        """Where the change was published; None while a schedule lacks it. ``again_at``: when its subject was changed
        again.

        The version with the change names it as a cause. An earlier build for another cause may have read the change
        already, so its mark changes nothing. Once everything is ``settled``, the first version since the sending
        counts for schedules in which no version names the change.
        """
        showings = {key: _named(sent, self._caused[key, sent.subject], again_at) for key in sent.keys}
        overtaken = [key for key, showing in showings.items() if showing is None]
        if settled:
            showings |= {key: _first_since(sent, self._rows[key]) for key in overtaken}
        found = [showing for showing in showings.values() if showing is not None]
        if len(found) < len(sent.keys):
            return None
        last = max(found, key=lambda showing: showing.since_sent)
        each = [showing.since_sent for showing in found]
        return Landed(sent, each, last.since_sent, last.since_notified, len(overtaken), last.row, last.cause)


def _named(
    sent: Sent, caused: Sequence[tuple[Cause, FeedEntry]], again_at: datetime | None
) -> _Showing | None:
    """The first version that names this change as a cause, rather than an earlier or a later one of the same item."""
    for cause, entry in caused:
        if cause.notified_at >= sent.sent_at and (again_at is None or cause.notified_at < again_at):
            published_at = appended_at(entry)
            return _Showing(
                _seconds(sent.sent_at, published_at), _seconds(cause.notified_at, published_at), entry, cause
            )
    return None


def _first_since(sent: Sent, entries: Sequence[FeedEntry]) -> _Showing | None:
    """Its time of notification is unknown, so it counts from the sending, which is earlier."""
    place = bisect_left(entries, sent.sent_at, key=lambda entry: entry.change.published_at)
    if place == len(entries):
        return None
    seconds = _seconds(sent.sent_at, appended_at(entries[place]))
    return _Showing(seconds, seconds, entries[place], None)


def appended_at(entry: FeedEntry) -> datetime:
    """When Redis appended the row, which follows the storing of the document."""
    return datetime.fromtimestamp(int(entry.position.partition("-")[0]) / 1000, UTC)


def _seconds(since: datetime, until: datetime) -> float:
    return (until - since).total_seconds()
