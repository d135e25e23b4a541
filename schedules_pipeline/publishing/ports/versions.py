"""Published versions: the row of each, and its document for some days."""

from collections.abc import Sequence
from typing import Protocol

from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey

VERSIONS_LISTED = 50
"""How many versions of a schedule are listed. Their documents expire by time, not by number."""


class VersionStore(Protocol):
    """The commit itself records each version, in the same atomic step, so none is missing."""

    def versions(self, key: ScheduleKey) -> list[Change]:
        """The rows of the latest versions, newest first."""

    def document(self, key: ScheduleKey, seq: int) -> bytes | None:
        """The document of one version; None if it is a removal or has expired."""

    def compact(self, replaced: Sequence[tuple[ScheduleKey, int]]) -> None:
        """Compress the documents of replaced versions; expired ones are skipped."""
