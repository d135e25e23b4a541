"""The running publisher, so that the sensors start one only if none runs."""

from typing import Protocol


class PublisherPresence(Protocol):
    """A hint, not a lock: two publishers do no harm, they only cost a process."""

    def reserve(self, name: str, seconds: int) -> bool:
        """Announce a publisher that is about to start. False if another is announced or runs."""

    def renew(self, name: str, seconds: int) -> None:
        """The publisher runs, and will run for at least so many seconds."""

    def leave(self) -> None:
        """No publisher runs any more."""

    def name(self) -> str:
        """The publisher that runs or is announced; "" if there is none."""
