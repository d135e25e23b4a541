"""Who publishes just now, so that the sensors start a publisher where there is none, and only then."""

from typing import Protocol


class PublisherPresence(Protocol):
    """A hint, not a lock: two publishers do no harm, they only cost a process."""

    def reserve(self, name: str, seconds: int) -> bool:
        """Announce a publisher that is about to start; False where there is one already."""

    def renew(self, name: str, seconds: int) -> None:
        """Say that this publisher is at work, and will be for so long at least."""

    def leave(self) -> None:
        """Say that nobody publishes any more."""

    def name(self) -> str:
        """Who publishes, or was booked to; "" for nobody."""
