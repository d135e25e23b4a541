"""Published versions: the row of each, and its document for some days."""

from collections.abc import Iterable
from typing import Protocol

from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey

VERSIONS_LISTED = 50
"""How many versions of a schedule are listed."""


class VersionStore(Protocol):
    """The commit itself records each version, in the same atomic step, so none is missing. It also drops the documents
    that are too many or too old.
    """

    def versions(self, key: ScheduleKey) -> list[Change]:
        """The rows of the latest versions, newest first."""

    def document(self, key: ScheduleKey, seq: int) -> bytes | None:
        """The document of one version; None if it is a removal or no longer kept."""

    def replaced(self, key: ScheduleKey, seq: int) -> bytes | None:
        """The document of an earlier version, for readers that have the latest one; None if it is not kept."""

    def compact(self, keys: Iterable[ScheduleKey]) -> None:
        """Store replaced versions as deltas. They read as before, also if the process dies during it."""
