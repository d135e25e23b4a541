"""Which keyspace partners are served from, and who has ever changed that.

This is the record that the delivery side obeys; nothing else is switched by it.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class ServedSource(StrEnum):
    """``LEGACY``: what the old system writes. ``OURS``: what this pipeline publishes."""

    LEGACY = "legacy"
    OURS = "ours"


@dataclass(frozen=True, slots=True)
class ServedState:
    """One state, and the switch that led to it. ``number`` counts the switches; before the first it is 0,
    partners are served by the old system, and ``since`` is None.

    ``parity_share`` is the share that matched when it was decided, None where nothing could be compared or
    nothing was asked. ``forced`` says that somebody went ahead against objections.
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
        """Every switch that is remembered, the newest first."""

    def change(self, to: ServedState) -> bool:
        """Enter a switch, in one atomic step, where the current state has the number before it.

        False where somebody else has switched meanwhile; then nothing is changed. Entering the very same again
        changes nothing either, and is True: the first reply may have been lost.
        """
