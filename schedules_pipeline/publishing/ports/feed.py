"""The change feed: every publication in order, and the latest row of every schedule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey

MOST_ROWS = 500_000
"""Rows that the feed keeps. Older ones are deleted with every append, also those of the latest days."""


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """A row and its position, which grows along the feed."""

    position: str
    change: Change


def place(position: str) -> tuple[int, ...]:
    """Positions of one feed sort in feed order. Raises ValueError if the text is not a position."""
    return tuple(map(int, position.split("-")))


class ChangeFeed(Protocol):
    def append(self, rows: Sequence[tuple[ScheduleKey, int, bytes]]) -> None:
        """Append rows (key, sequence number, rendered row), each at most once; delete those above :data:`MOST_ROWS`."""

    def count_schedules(self) -> int:
        """The number of schedules with a head: published ones, and removals that are not forgotten yet."""

    def heads(self) -> dict[ScheduleKey, Change]:
        """The latest change of every schedule that was ever published, removals included.

        Not of one moment: a change during the read may be in it or not.
        """

    def heads_of(self, keys: Sequence[ScheduleKey]) -> dict[ScheduleKey, Change]:
        """The latest changes of these schedules; those without one are left out."""

    def forget_removals(self, seqs: Mapping[ScheduleKey, int]) -> None:
        """Forget the head of each schedule if it is still the removal with this number."""

    def trim(self, before: datetime) -> int:
        """Delete rows that were appended before this moment of the feed's clock, but no heads. Returns how many."""

    def read_after(self, position: str, limit: int) -> list[FeedEntry]:
        """The rows after a position, in order; "0" is before the first."""

    def wait_after(self, position: str, limit: int, seconds: float) -> list[FeedEntry]:
        """As :meth:`read_after`, but wait up to ``seconds`` (at most 5) for the first row."""

    def last_position(self) -> str:
        """The position of the newest row, even if it was trimmed; "0" if there never was a row."""

    def complete_after(self) -> str:
        """Every row after this position still exists; "0" if the feed was never trimmed.

        Call it after reading rows, because a trim records the position before it deletes.
        """

    def position_before(self, at: datetime) -> str:
        """A position before all rows that were appended at or after this instant of the feed's clock."""

    def take_unrecorded(self, consumer: str, limit: int) -> list[FeedEntry]:
        """Rows that no run has confirmed as recorded. Each row goes to one consumer, and to another one if it is not
        confirmed within a minute.
        """

    def return_unrecorded(self, consumer: str) -> None:
        """The consumer records no more: what it has taken and not confirmed goes to another one at once."""

    def confirm_recorded(self, positions: Sequence[str]) -> None: ...

    def unrecorded(self) -> int:
        """The number of rows that are not confirmed as recorded."""

    def unrecorded_since(self) -> datetime | None:
        """When the oldest row was appended that is not confirmed as recorded, by the feed's clock; None without one."""


def published_keys(feed: ChangeFeed) -> set[ScheduleKey]:
    """Every schedule that partners see."""
    return {key for key, change in feed.heads().items() if not change.is_removal}
