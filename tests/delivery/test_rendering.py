"""Rendering in real processes beside this one: results, errors, ends of processes, and time limits."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from schedules_pipeline.delivery import rendering as rendering_module
from schedules_pipeline.delivery.problems import UNAVAILABLE, Problem
from schedules_pipeline.delivery.rendering import Renderer, Rendering
from schedules_pipeline.errors import InvalidIdentifier

_PID = os.getpid
"""A task that tells in which process it was performed."""


@contextmanager
def _rendering(processes: int = 1) -> Iterator[Rendering]:
    rendering = Rendering(processes)
    try:
        yield rendering
    finally:
        rendering.close()


def _perform(rendering: Rendering, *tasks: Callable[[], Any]) -> list[Any]:
    async def run() -> list[Any]:
        async with asyncio.timeout(60):
            return [await rendering.perform("acme", task) for task in tasks]

    return asyncio.run(run())


def _end_once(marker: Path) -> int:
    """Ends its process, unless another has done so before."""
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def test_tasks_are_performed_outside_of_this_process() -> None:
    """One process performs task after task; what a library prints there does no harm."""
    with _rendering() as rendering:
        first, printed, second = _perform(rendering, _PID, partial(print, "not an outcome"), _PID)

    assert first == second != os.getpid()
    assert printed is None


def test_error_of_a_task_is_raised_here() -> None:
    """With the place in the other process as a note; the next task is performed as if nothing had happened."""
    with _rendering() as rendering:
        with pytest.raises(InvalidIdentifier) as raised:
            _perform(rendering, partial(_raise, "no pid"))
        (result,) = _perform(rendering, partial(int, "7"))

    assert "in _raise" in "".join(raised.value.__notes__)
    assert result == 7


def _raise(text: str) -> None:
    raise InvalidIdentifier(text)


def test_task_whose_process_ends_is_repeated_in_another(tmp_path: Path) -> None:
    """A process that is killed, as by the kernel for its memory, costs the client nothing."""
    with _rendering() as rendering:
        before, after, later = _perform(rendering, _PID, partial(_end_once, tmp_path / "ended"), _PID)

    assert before != after == later


def test_task_that_ends_every_process_is_not_performed_here() -> None:
    """The second time the answer is 503: in this process it would end the service. The next task succeeds."""
    with _rendering() as rendering:
        with pytest.raises(Problem) as raised:
            _perform(rendering, partial(os._exit, 1))
        (result,) = _perform(rendering, partial(int, "7"))

    assert raised.value.kind is UNAVAILABLE
    assert result == 7


def test_task_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process is killed at the limit, and it is not repeated."""
    monkeypatch.setattr(rendering_module, "LONGEST_SECONDS", 1.0)
    with _rendering() as rendering:
        began = time.monotonic()
        with pytest.raises(Problem) as raised:
            _perform(rendering, partial(time.sleep, 30))
        took = time.monotonic() - began
        # The next process has the time that it needs to start.
        monkeypatch.undo()
        (result,) = _perform(rendering, partial(int, "7"))

    assert raised.value.kind is UNAVAILABLE
    assert took < 10
    assert result == 7


def test_without_processes_it_renders_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none is wanted, and where the system starts none."""

    def fail(_: Renderer) -> None:
        raise OSError("no more processes")

    with _rendering(0) as rendering:
        wanted = _perform(rendering, _PID)
    monkeypatch.setattr(Renderer, "start", fail)
    with _rendering(1) as rendering:
        rendering.start()
        started = _perform(rendering, _PID)

    assert wanted == started == [os.getpid()]


def test_processes_end_with_this_one() -> None:
    """They end when rendering is closed, also in the middle of a task, and by themselves when their input ends."""
    with _rendering() as rendering:
        (pid,) = _perform(rendering, _PID)

        async def close_meanwhile() -> None:
            task = asyncio.ensure_future(rendering.perform("acme", partial(time.sleep, 30)))
            await asyncio.sleep(0.2)
            rendering.close()
            with pytest.raises(Problem):
                await task

        asyncio.run(close_meanwhile())

    assert not Path(f"/proc/{pid}").exists()

    renderer = Renderer()
    pid, _ = renderer.perform(_PID)
    process = renderer._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(10) == 0
    assert pid == process.pid
