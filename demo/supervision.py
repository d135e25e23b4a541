"""Watches the servers of the demonstration: a server that ends is reported and started again.

Used by the main thread alone, because a server ends with the thread that started it.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from demo.servers import LoopbackServer
from schedules_pipeline.errors import ServiceError

_PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0)
_MOST_DEATHS = 5
_WITHIN_SECONDS = 120.0

Say = Callable[[str], None]


@dataclass(slots=True)
class _Watched:
    """``restart_at``: when the server is started again; None while it runs. ``is_starting``: until it answers.
    ``in_memory``: what it holds ends with it, so it is not started again.
    """

    name: str
    server: LoopbackServer
    in_memory: bool = False
    deaths: deque[float] = field(default_factory=deque)
    restart_at: float | None = None
    is_starting: bool = False


class Supervisor:
    """``say`` prints a line; ``monotonic`` counts seconds."""

    def __init__(self, say: Say, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._monotonic = monotonic
        self._watched: list[_Watched] = []

    def watch(
        self, name: str, server: LoopbackServer, *, in_memory: bool = False, is_starting: bool = False
    ) -> None:
        """Watch a server. ``is_starting``: it has been launched and does not answer yet."""
        self._watched.append(_Watched(name, server, in_memory, is_starting=is_starting))

    def check(self) -> None:
        """Report servers that have ended, and start them again after a pause. It does not wait for answers.

        Raises :class:`ServiceError` if a server ends again and again, or one that holds everything in memory does.
        """
        for watched in self._watched:
            if watched.restart_at is not None:
                self._restart_when_due(watched)
            elif (status := watched.server.exit_status) is not None:
                self._bury(watched, status)
            elif watched.is_starting and watched.server.answers():
                watched.is_starting = False
                self._say(f"{watched.name} {'runs again' if watched.deaths else 'answers'}")

    def _bury(self, watched: _Watched, status: int) -> None:
        now = self._monotonic()
        watched.deaths.append(now)
        while now - watched.deaths[0] > _WITHIN_SECONDS:
            watched.deaths.popleft()
        ended = f"signal {-status}" if status < 0 else f"exit code {status}"
        if watched.in_memory:
            raise ServiceError(
                f"{watched.name} ended with {ended}. All that it held was in its memory, so the demonstration ends: "
                f"start it again. Its log: {watched.server.log_path}"
            )
        if len(watched.deaths) >= _MOST_DEATHS:
            raise ServiceError(
                f"{watched.name} ended with {ended}, for the {len(watched.deaths)}th time within "
                f"{_WITHIN_SECONDS:.0f} s, and is not started again: see {watched.server.log_path}"
            )
        pause = _PAUSES_SECONDS[len(watched.deaths) - 1]
        watched.restart_at = now + pause
        self._say(f"{watched.name} ended with {ended}; it is started again in {pause:g} s")

    def _restart_when_due(self, watched: _Watched) -> None:
        if watched.restart_at is not None and self._monotonic() >= watched.restart_at:
            watched.restart_at, watched.is_starting = None, True
            watched.server.launch_again()
