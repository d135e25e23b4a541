"""The publishers that are present, so that the sensors ask for no more than the backlog wants."""

from dataclasses import dataclass
from typing import Protocol

STARTING = "starting"
"""The name of a publisher that was asked for and does not run yet begins with this."""


@dataclass(frozen=True, slots=True)
class Publishers:
    """``running``: those that longest have run first. ``leaving``: they publish until another one runs. ``starting``:
    how many were asked for and do not run yet.
    """

    running: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()
    starting: int = 0

    def __bool__(self) -> bool:
        """Whether any publisher runs or is about to."""
        return bool(self.running or self.leaving or self.starting)

    @property
    def recorder(self) -> str:
        """The one that records for all, because versions must be recorded in order; "" if none runs."""
        return next(iter(self.leaving or self.running), "")


NO_PUBLISHER = Publishers()


class PublisherPresence(Protocol):
    """A hint, not a lock: one publisher too many does no harm, it only costs a process."""

    def reserve(self, name: str, seconds: int, most: int) -> bool:
        """Announce a publisher that is about to start, under a name that begins with :data:`STARTING`. False if
        ``most`` run or are announced already.
        """

    def renew(self, name: str, seconds: int, *, reservation: str = "", is_leaving: bool = False) -> None:
        """The publisher runs, and will run for at least so many seconds. Its reservation ends. ``is_leaving``: it ends
        as soon as another one runs.
        """

    def leave(self, name: str) -> None:
        """The publisher runs no more, or its reservation is given up."""

    def present(self) -> Publishers:
        """The publishers whose time is not over, by the clock of the store."""
