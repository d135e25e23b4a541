"""Explains a version of a schedule: its causes, the difference to the version before, and the other versions of the
same events.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile
from typing import Any

import orjson

from schedules_pipeline.documents.accepted_schedule import AcceptedSchedule, NoSource, parse_if_accepted
from schedules_pipeline.documents.partner_document import split_document
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.diff import Difference, diff
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import ContentError
from schedules_pipeline.publishing.ports import PublishingStore

SEARCHED_FOR = timedelta(minutes=10)
"""For how long after a version the feed is searched for other versions of the same events."""

CLOCKS_DIFFER_BY = timedelta(seconds=30)
"""The greatest assumed difference between the clocks of a queue, Redis and a publisher."""

MOST_ROWS = 20_000
"""The search ends after so many rows of the feed."""

_ROWS_AT_ONCE = 1_000


class NoSuchVersion(ContentError):
    """The version was never published, is no longer listed, or its document has expired."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """``before`` is 0 if ``after`` is the first version. In the differences, ``ours`` is the later version."""

    before: int
    after: int
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class AffectedVersions:
    """The other versions of the same events, in feed order. ``stopped_at``: the time of the last searched row, if the
    search ended early. ``goes_back``: the feed still has the explained version.
    """

    versions: tuple[Change, ...] = ()
    stopped_at: datetime | None = None
    goes_back: bool = True


@dataclass(frozen=True, slots=True)
class Explanation:
    """``change`` holds the causes and the changed fields. ``comparison`` is None if a document has expired.

    ``source``: the accepted document of the latest version; of an earlier one it is no longer known.
    """

    change: Change
    comparison: Comparison | None
    touched: AffectedVersions
    source: AcceptedSchedule | NoSource


class VersionExplainer:
    def __init__(self, store: PublishingStore) -> None:
        self._store = store

    def compare(self, key: ScheduleKey, after: int | None = None, before: int | None = None) -> Comparison:
        """Compare two versions, by default the latest with the one before. Raises :class:`NoSuchVersion`."""
        versions = self._versions(key)
        later = self._version(versions, key, after)
        earlier = later.seq - 1 if before is None else self._version(versions, key, before).seq
        by_seq = {version.seq: version for version in versions}
        old, new = (self._broadcasts(key, seq, by_seq.get(seq)) for seq in (earlier, later.seq))
        return Comparison(earlier, later.seq, tuple(diff(new, old)))

    def explain(self, key: ScheduleKey, seq: int | None = None) -> Explanation:
        """Explain one version, by default the latest. Raises :class:`NoSuchVersion`."""
        versions = self._versions(key)
        change = self._version(versions, key, seq)
        try:
            comparison = self.compare(key, change.seq)
        except NoSuchVersion:
            comparison = None
        source = accepted_source(self._store, key) if change.seq == versions[0].seq else NoSource()
        return Explanation(change, comparison, self._find_touched(change), source)

    def _versions(self, key: ScheduleKey) -> Sequence[Change]:
        if versions := self._store.versions.versions(key):
            return versions
        raise NoSuchVersion(f"{key}: nothing was ever published, or its history has expired")

    def _version(self, versions: Sequence[Change], key: ScheduleKey, seq: int | None) -> Change:
        if seq is None:
            return versions[0]
        found = next((version for version in versions if version.seq == seq), None)
        if found is None:
            listed = f"{versions[-1].seq} to {versions[0].seq}"
            raise NoSuchVersion(f"{key} has no version {seq}: listed are {listed}")
        return found

    def _broadcasts(self, key: ScheduleKey, seq: int, version: Change | None) -> list[dict[str, Any]]:
        """The broadcasts of that version; none before the first version and after a removal."""
        if seq == 0 or (version is not None and version.is_removal):
            return []
        document = self._store.versions.document(key, seq)
        if document is None:
            raise NoSuchVersion(f"{key}: the document of version {seq} has expired")
        broadcasts: list[dict[str, Any]] = orjson.loads(split_document(document)[1])
        return broadcasts

    def _find_touched(self, change: Change) -> AffectedVersions:
        """The other versions that share a cause with this one."""
        events = {cause.event_id for cause in change.causes}
        if not events:
            return AffectedVersions()
        begin = min(cause.notified_at for cause in change.causes) - CLOCKS_DIFFER_BY
        end = change.published_at + SEARCHED_FOR
        until_the_end = takewhile(lambda row: row.published_at <= end, self._rows_since(begin))
        rows = list(islice(until_the_end, MOST_ROWS + 1))
        stopped_at = rows[-1].published_at if len(rows) > MOST_ROWS else None
        found = [row for row in rows[:MOST_ROWS] if _shares(row, events)]
        others = [row for row in found if (row.key, row.seq) != (change.key, change.seq)]
        return AffectedVersions(
            tuple(others), stopped_at, goes_back=stopped_at is not None or len(others) < len(found)
        )

    def _rows_since(self, begin: datetime) -> Iterator[Change]:
        position = self._store.feed.position_before(begin)
        while entries := self._store.feed.read_after(position, _ROWS_AT_ONCE):
            yield from (entry.change for entry in entries)
            position = entries[-1].position


def accepted_source(store: PublishingStore, key: ScheduleKey) -> AcceptedSchedule | NoSource:
    """The document that the latest version is made from, with what was unusable in it and what was mended."""
    return parse_if_accepted(store.schedules.read([key])[key].accepted)


def _shares(row: Change, events: set[str]) -> bool:
    return any(cause.event_id in events for cause in row.causes)
