"""What partners did with the versions that this process has heard of, as spans of the traces of their causes."""

from collections.abc import Iterable, Sequence

from schedules_pipeline import tracing
from schedules_pipeline.delivery.mirror import MirroredSchedule
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.ports.feed import FeedEntry, place

_REMEMBERED = 5_000
_FIRST_FAILURE = 400

FETCHED = "fetched_schedules"
"""The key in the ASGI scope for the versions with which a request is answered."""


class TracedVersions:
    """Shows each partner's first announcement and first fetch of a version, so that traces end. Empty while traces are
    off.
    """

    def __init__(self) -> None:
        self._changes: dict[tuple[ScheduleKey, int], Change] = {}
        self._shown: dict[tuple[ScheduleKey, int], set[tuple[str, str]]] = {}

    def mirrored(self, entries: Iterable[FeedEntry]) -> None:
        """These versions can be fetched from now on. Their spans begin when Redis appended their rows."""
        if not tracing.is_on():
            return
        for entry in entries:
            version = entry.change.key, entry.change.seq
            self._changes[version], self._shown[version] = entry.change, set()
            tracing.followed("mirror", entry.change, place(entry.position)[0] * 1_000_000)
        for version in list(self._changes)[: max(0, len(self._changes) - _REMEMBERED)]:
            del self._changes[version], self._shown[version]

    def announced(self, entries: Sequence[FeedEntry], partner: str, began: int) -> None:
        """These rows were sent to a partner that follows the feed."""
        if tracing.is_on():
            for entry in entries:
                self._follow("announce", (entry.change.key, entry.change.seq), partner, began)

    def fetched(self, versions: Iterable[MirroredSchedule], partner: str, began: int, status: int) -> None:
        """All that one answer holds: a schedule, or days of many services in any format."""
        if self._changes and status < _FIRST_FAILURE:
            for held in versions:
                self._follow("fetch", (held.key, held.seq), partner, began, status)

    def _follow(
        self, name: str, version: tuple[ScheduleKey, int], partner: str, began: int, status: int = 0
    ) -> None:
        change = self._changes.get(version)
        if change is not None and (name, partner) not in self._shown[version]:
            self._shown[version].add((name, partner))
            tracing.followed(name, change, began, partner=partner, status=status)
