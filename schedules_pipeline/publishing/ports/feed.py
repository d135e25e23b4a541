"""The change feed: every publication in order, and the latest row of every schedule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """A row at its place in the feed; ``position`` grows along it."""

    position: str
    change: Change


def place(position: str) -> tuple[int, ...]:
    """Where a position stands: those of one feed compare as it orders them. ValueError for what is none."""
    return tuple(map(int, position.split("-")))


class ChangeFeed(Protocol):
    def append(self, rows: Sequence[tuple[ScheduleKey, int, bytes]]) -> None:
        """Append rows (key, sequence number, row as the store rendered it), each at most once."""

    def count_schedules(self) -> int:
        """How many schedules there is a latest change of: published ones, and removals not yet forgotten."""

    def heads(self) -> dict[ScheduleKey, Change]:
        """The latest change of every schedule that was ever published, removals included."""

    def heads_of(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, Change]:
        """The latest changes of these, of those that have one."""

    def forget_removals(self, seqs: Mapping[ScheduleKey, int]) -> None:
        """Forget the latest change of each, where it is still the removal of that number."""

    def trim(self, before: datetime) -> int:
        """Forget rows that were appended before this moment, by the feed's own clock; heads stay.

        Answers with how many rows are gone.
        """

    def read_after(self, position: str, limit: int) -> list[FeedEntry]:
        """The rows after a position, in order; "0" is before the first."""

    def wait_after(self, position: str, limit: int, seconds: float) -> list[FeedEntry]:
        """As :meth:`read_after`; where there is none yet, wait for the first for so long (at most 5 seconds)."""

    def last_position(self) -> str:
        """The position of the row that was appended last, trimmed or not; "0" where there never was one."""

    def complete_after(self) -> str:
        """The position of the last row that was trimmed, or is about to be; "0" where none ever was.

        Every row after it is still there. To be asked after rows are read, since it is noted before they go.
        """

    def position_before(self, at: datetime) -> str:
        """A position before every row that was appended at this instant or later, by the feed's own clock."""

    def take_unrecorded(self, consumer: str, limit: int) -> list[FeedEntry]:
        """Rows that no run has confirmed to have recorded. Each goes to one consumer, and to another
        where that one has not confirmed it for a minute.
        """

    def confirm_recorded(self, positions: Sequence[str]) -> None: ...

    def unrecorded(self) -> int:
        """How many rows wait to be recorded, those that were taken but not confirmed included."""
