"""Limits on concurrent work in worker threads, one for each kind of work.

All worker threads of a process form one pool. Without separate limits, requests that wait for a hanging store would
occupy the whole pool and block requests that need no store; and many documents rendered at once would slow the event
loop's thread.
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
    """Used only in the event loop's thread. The limits of all kinds together are below the pool's size, 40."""

    def __init__(self, at_once: int, most_waiting: int = _MOST_WAITING) -> None:
        self._free = Semaphore(at_once)
        self._most = at_once + most_waiting
        self._under_way = 0

    async def run(self, work: Callable[_P, _T], *args: _P.args, **options: _P.kwargs) -> _T:
        """The result of ``work``. Raises :class:`Problem` if too many requests wait for this kind of work already."""
        if self._under_way >= self._most:
            detail = "Too many requests of this kind are waiting. Try again."
            raise Problem(UNAVAILABLE, detail, headers={"Retry-After": str(_RETRY_SECONDS)})
        self._under_way += 1
        try:
            async with self._free:
                return await run_in_threadpool(work, *args, **options)
        finally:
            self._under_way -= 1
