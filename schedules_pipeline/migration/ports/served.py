"""Which system partners are served from, and every switch so far. The delivery side obeys this record."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class ServedSource(StrEnum):
    """``LEGACY``: the old system's documents. ``OURS``: the schedules that the pipeline publishes."""

    LEGACY = "legacy"
    OURS = "ours"


@dataclass(frozen=True, slots=True)
class ServedState:
    """One state, and the switch that led to it. ``number`` counts the switches. It is 0 before the first, when the
    old system serves partners and ``since`` is None.

    ``parity_share``: the matching share at the time of the switch, or None. ``forced``: the operator overrode
    objections.
    """

    number: int
    source: ServedSource
    since: datetime | None
    by: str
    reason: str
    parity_share: float | None
    forced: bool


NEVER_SWITCHED = ServedState(0, ServedSource.LEGACY, None, "", "", None, forced=False)


class ServedSourceStore(Protocol):
    def current(self) -> ServedState:
        """:data:`NEVER_SWITCHED` before the first switch."""

    def switches(self) -> list[ServedState]:
        """The remembered switches, newest first."""

    def change(self, to: ServedState) -> bool:
        """Record a switch in one atomic step, if the current state has the preceding number.

        False, without a change, if another switch was recorded first. Recording the same switch again is True,
        because the first reply may have been lost.
        """
