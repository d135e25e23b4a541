"""What partners were given before: every version's row, and its document for some days."""

from collections.abc import Sequence
from typing import Protocol

from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey

VERSIONS_LISTED = 50
"""How many versions of a schedule are listed; documents of replaced ones are kept for a time, not by number."""


class VersionStore(Protocol):
    """Kept by the commit itself, in the same atomic step; so no version is missing, however soon it was replaced."""

    def versions(self, key: ScheduleKey) -> list[Change]:
        """The rows of the latest versions, newest first; empty where nothing was ever published."""

    def document(self, key: ScheduleKey, seq: int) -> bytes | None:
        """The document of one version; None where it was a removal, or is no longer kept."""

    def compact(self, replaced: Sequence[tuple[ScheduleKey, int]]) -> None:
        """Make the documents of versions that were replaced smaller; those that are gone are passed over."""
