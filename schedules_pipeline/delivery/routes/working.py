"""Work that is done in worker threads, and how much of each kind at once.

All of a process's worker threads are one pool. Without a limit of its own, a store that hangs would take every thread
with the questions that need it, and those that need no store would not be answered either; and many documents that
are rendered at once would leave the thread that answers no time.
"""

from asyncio import Semaphore
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from starlette.concurrency import run_in_threadpool

from schedules_pipeline.delivery.problems import UNAVAILABLE, Problem

_MOST_WAITING = 200
_RETRY_SECONDS = 5

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Workers:
    """Used from the event loop's thread alone. The limits of all kinds together are below that of the pool, 40."""

    def __init__(self, at_once: int, most_waiting: int = _MOST_WAITING) -> None:
        self._free = Semaphore(at_once)
        self._most = at_once + most_waiting
        self._under_way = 0

    async def run(self, work: Callable[_P, _T], *args: _P.args, **options: _P.kwargs) -> _T:
        """What it returns or raises. Raises :class:`Problem` where too many wait for such work already."""
        if self._under_way >= self._most:
            detail = "Too many requests of this kind wait already. Try again."
            raise Problem(UNAVAILABLE, detail, headers={"Retry-After": str(_RETRY_SECONDS)})
        self._under_way += 1
        try:
            async with self._free:
                return await run_in_threadpool(work, *args, **options)
        finally:
            self._under_way -= 1
