"""Rendering in processes of its own, so that an expensive request costs no other partner its time.

Python runs one thread at a time, so a document that is rendered in a thread of the answering process makes every
answer of that process late (ADR 30). Tasks are functions that can be pickled, with everything that they need as
arguments: schedules travel compressed, and each process remembers the parsed ones.
"""

import asyncio
import pickle
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO, Final, TypeVar, cast

import structlog

from schedules_pipeline.delivery.problems import UNAVAILABLE, Problem
from schedules_pipeline.delivery.renderer import Outcome, read_message, write_message
from schedules_pipeline.delivery.turns import Turns

LONGEST_SECONDS: Final = 30.0
_RETRY_SECONDS = 60
_THREADS = 2

_T = TypeVar("_T")
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class RendererEnded(Exception):
    """The process ended before it had sent the outcome."""


class Renderer:
    """One process, started when it is first used and again after it has ended. Not thread-safe, except :meth:`kill`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Raises OSError if the system allows no further process."""
        if self._process is None:
            command = [sys.executable, "-m", "schedules_pipeline.delivery.renderer"]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - this program

    def perform(self, task: Callable[[], object]) -> Outcome:
        """Blocking. Raises :class:`RendererEnded`, or OSError as :meth:`start` does."""
        self.start()
        process = cast("subprocess.Popen[bytes]", self._process)
        message = pickle.dumps(task, pickle.HIGHEST_PROTOCOL)
        try:
            write_message(cast("BinaryIO", process.stdin), message)
            outcome = read_message(cast("BinaryIO", process.stdout))
        except (BrokenPipeError, ValueError):
            outcome = None
        if outcome is None:
            self.stop()
            raise RendererEnded
        return cast("Outcome", pickle.loads(outcome))  # noqa: S301 - the process is this program

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def stop(self) -> None:
        """End the process, which may be rendering, and wait for its end."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    cast("BinaryIO", pipe).close()


class Rendering:
    """Takes turns between partners. Used in the event loop's thread.

    Without processes, tasks are performed in threads of this process: for tests, and for machines with one core and
    little memory.
    """

    def __init__(self, processes: int = 0) -> None:
        at_once = processes or _THREADS
        self._idle = [Renderer() for _ in range(processes)]
        self._all = tuple(self._idle)
        self._turns = Turns(at_once, max(1, at_once - 1))
        self._is_closed = False

    def start(self) -> None:
        """Start the processes ahead of the first request. They import what they need while this process goes on."""
        for renderer in self._all:
            try:
                renderer.start()
            except OSError as error:
                _log.warning("no process for rendering", error=str(error))

    def close(self) -> None:
        self._is_closed = True
        for renderer in self._all:
            renderer.stop()

    async def perform(self, partner: str, task: Callable[[], _T], *, has_begun: bool = False) -> _T:
        """The result of ``task``, or the error that it raises.

        Raises :class:`Problem` if too many tasks wait, unless the answer ``has_begun``; if the task takes longer than
        :data:`LONGEST_SECONDS`; or if it ended its process twice.
        """
        async with self._turns.turn(partner, has_begun=has_begun):
            if not self._all:
                return await asyncio.to_thread(task)
            renderer = self._idle.pop()
            try:
                outcome = await self._perform(renderer, task)
            finally:
                self._idle.append(renderer)
        value, error = outcome
        if error is not None:
            raise error
        return cast("_T", value)

    async def _perform(self, renderer: Renderer, task: Callable[[], object]) -> Outcome:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + LONGEST_SECONDS
        for _ in range(2):
            limit = loop.call_at(deadline, renderer.kill)
            try:
                return await asyncio.to_thread(renderer.perform, task)
            except RendererEnded:
                _log.error("rendering process ended", task=str(task)[:200])
                if self._is_closed or loop.time() >= deadline:
                    break
            except OSError as error:
                _log.warning("no process for rendering", error=str(error))
                return await asyncio.to_thread(task), None
            finally:
                limit.cancel()
        detail = "This answer could not be rendered. Ask for fewer services or days."
        raise Problem(UNAVAILABLE, detail, headers={"Retry-After": str(_RETRY_SECONDS)})
