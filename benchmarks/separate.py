"""Runs something in a process of its own and measures its time and the memory that it takes."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.harness import WrongResult

_OWN = Path("/proc/self")


@dataclass(frozen=True, slots=True)
class Measured:
    """``grown``: bytes by which the process was larger at its largest than before the work."""

    seconds: float
    processor_seconds: float
    grown: int


def run_separately(prepare: Callable[[], Callable[[], object]]) -> Measured:
    """Measure what ``prepare`` returns, in a child process that begins as a copy of this one.

    ``prepare`` runs in the child and opens connections of its own. Raises :class:`WrongResult` if the work fails.
    """
    receiving, sending = get_context("fork").Pipe(duplex=False)
    child = get_context("fork").Process(target=_measure, args=(prepare, sending))
    child.start()
    sending.close()
    try:
        measured: Measured = receiving.recv()
    except EOFError:
        raise WrongResult("the measured work failed, see above") from None
    finally:
        child.join()
    return measured


def _measure(prepare: Callable[[], Callable[[], object]], sending: Connection) -> None:
    work = prepare()
    # The kernel then counts the peak anew.
    (_OWN / "clear_refs").write_text("5")
    before, began, busy_before = _kilobytes("VmRSS"), time.perf_counter(), time.process_time()
    work()
    seconds, busy = time.perf_counter() - began, time.process_time() - busy_before
    sending.send(Measured(seconds, busy, (_kilobytes("VmHWM") - before) * 1024))
    sending.close()
    os._exit(0)


def _kilobytes(name: str) -> int:
    lines = (_OWN / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
