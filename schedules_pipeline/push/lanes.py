"""Requests to one receiver that are under way at the same time."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol

from schedules_pipeline.domain.changes import Change
from schedules_pipeline.push.ports import Answer


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that is under way, and when it began, in nanoseconds."""

    changes: Sequence[Change]
    began: int


class Lanes(Protocol):
    def start(self, sent: Sent, post: Callable[[], Answer]) -> None:
        """Call ``post`` beside those that are under way."""

    def under_way(self) -> int: ...

    def ended(self, seconds: float | None) -> list[tuple[Sent, Answer]]:
        """Wait until a request has ended, at most so long; all that have ended. Raises what ``post`` raises."""

    def close(self) -> None:
        """Wait for the requests that are under way."""


class ThreadLanes:
    """Implements :class:`Lanes` with a thread for each lane."""

    def __init__(self, lanes: int) -> None:
        self._pool = ThreadPoolExecutor(lanes, "webhook")
        self._posts: dict[Future[Answer], Sent] = {}

    def start(self, sent: Sent, post: Callable[[], Answer]) -> None:
        self._posts[self._pool.submit(post)] = sent

    def under_way(self) -> int:
        return len(self._posts)

    def ended(self, seconds: float | None) -> list[tuple[Sent, Answer]]:
        done = wait(self._posts, seconds, FIRST_COMPLETED).done
        return [(self._posts.pop(future), future.result()) for future in done]

    def close(self) -> None:
        self._pool.shutdown(wait=True)
