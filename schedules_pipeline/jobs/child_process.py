"""A process that belongs to a publisher, so that its work and publishing share no interpreter: both sides of it.

The publisher starts it with ``python -m`` and writes values of JSON to its standard input, one in a line: first its
task, then orders. The process writes such values to its standard output. It ends when its input does: the operating
system closes that with the publisher, also after ``kill -9``. If it dies alone, the publisher goes on and starts it
again.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any, Protocol, cast

import orjson
import structlog

from schedules_pipeline.jobs.run_log import RunLog
from schedules_pipeline.logs import configure_logs
from schedules_pipeline.settings import Settings, load_settings
from schedules_pipeline.tracing import configure_traces

_RESTARTS_AFTER_SECONDS = 5.0
_LONGEST_LAST_STEP_SECONDS = 30.0
_LAST_STEP_SECONDS = 1.0
_LAST_LINES_SECONDS = 0.5

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Companion(Protocol):
    """Work beside publishing, as the op of the publisher uses it: in a process of its own, or in this one."""

    def keep_up(self) -> None:
        """Work now and, as a process of its own, later. To be called again and again."""

    def dismiss(self) -> None:
        """Begin nothing further. Returns at once."""

    def stop(self, patience_seconds: float) -> None:
        """Begin nothing further, and wait for what has begun. What takes longer is left undone."""

    def close(self) -> None:
        """Stop, if it has not stopped."""


class ChildProcess:
    """The publisher's side. Implements :class:`Companion`."""

    def __init__(
        self,
        module: str,
        log: RunLog,
        task: Callable[[], Any],
        hear: Callable[[Any], None],
        last_step_seconds: float = _LAST_STEP_SECONDS,
    ) -> None:
        """``module``: of the process, named after what it does. ``task``: asked at each start. ``hear``: gets what the
        process writes, in a thread. ``last_step_seconds``: how long the end of the publisher waits for the process.
        """
        self._command = (sys.executable, "-m", module)
        self._name = module.rpartition(".")[2].removesuffix("_process")
        self._log = log
        self._task = task
        self._hear = hear
        self._last_step_seconds = last_step_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._hearing: threading.Thread | None = None
        self._writing = threading.Lock()
        self._started_at = float("-inf")

    def keep_up(self) -> None:
        """Start the process if it does not run; after one that has ended by itself, not at once."""
        code = None if self._process is None else self._process.poll()
        if code is not None:
            self.stop(0)
        if self._process is None and time.monotonic() >= self._started_at + _RESTARTS_AFTER_SECONDS:
            self.start()
        if code is not None:
            self._log.warning(
                f"{self._name} ended with code {code} and starts again; standard error says why"
            )

    def start(self) -> None:
        """Unless it was started."""
        if self._process is not None:
            return
        self._started_at = time.monotonic()
        process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - this program
        # So that an order which comes meanwhile is in the task, or follows it.
        with self._writing:
            _write(process, self._task())
            self._process = process
        name = f"hearing of {self._name}"
        self._hearing = threading.Thread(target=self._hear_all, args=(process,), name=name, daemon=True)
        self._hearing.start()

    def order(self, value: Any) -> None:
        """Write it to the process; to one that has ended, nothing is written."""
        with self._writing:
            if self._process is not None:
                _write(self._process, value)

    def wait(self) -> None:
        """Until the process ends by itself, as after an order to."""
        if self._process is not None:
            self._process.wait()

    def dismiss(self) -> None:
        if self._process is not None:
            with suppress(OSError):
                cast("IO[bytes]", self._process.stdin).close()

    def stop(self, patience_seconds: float) -> None:
        self.dismiss()
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._hearing is not None:
            self._hearing.join(_LAST_LINES_SECONDS)

    def close(self) -> None:
        self.stop(self._last_step_seconds)

    def _hear_all(self, process: "subprocess.Popen[bytes]") -> None:
        for line in cast("IO[bytes]", process.stdout):
            # A process that is killed leaves half a line. One that nobody hears would wait as soon as its pipe is full.
            try:
                self._hear(orjson.loads(line))
            except Exception as error:  # noqa: BLE001 - the next line may be understood
                _log.warning("a line of a process is left out", process=self._name, error=repr(error))


def _write(process: "subprocess.Popen[bytes]", value: Any) -> None:
    stdin = cast("IO[bytes]", process.stdin)
    # It may be closed by another thread, too.
    with suppress(OSError, ValueError):
        stdin.write(orjson.dumps(value) + b"\n")
        stdin.flush()


class Orders:
    """What the publisher says after the task. ``have_ended``: set when the process must end, within 30 seconds."""

    def __init__(self, stream: IO[bytes], obey: Callable[[Any], None]) -> None:
        self.have_ended = threading.Event()
        self._stream = stream
        self._obey = obey
        threading.Thread(target=self._read, name="orders", daemon=True).start()

    def _read(self) -> None:
        try:
            for line in self._stream:
                self._obey(orjson.loads(line))
        finally:
            self.have_ended.set()
            time.sleep(_LONGEST_LAST_STEP_SECONDS)
            # The publisher that would have killed it is dead.
            os._exit(1)


@dataclass(frozen=True, slots=True)
class Belonging:
    """The side of the process: its task, and what it needs to work at it."""

    task: Any
    settings: Settings
    _input: IO[bytes]
    _output: IO[bytes]

    def obey(self, obey: Callable[[Any], None]) -> Orders:
        """Pass each order to ``obey``, in a thread."""
        return Orders(self._input, obey)

    def tell(self, value: Any) -> None:
        """The publisher. Nobody hears it if that is dead."""
        with suppress(BrokenPipeError):
            self._output.write(orjson.dumps(value) + b"\n")
            self._output.flush()


@contextmanager
def belonging(kind: str) -> Iterator[Belonging]:
    """Begin a process that belongs to a publisher. ``kind``: of the process, in traces. The task begins with the id of
    the publisher's run, which all logs have.
    """
    # A signal to the publisher's group is the publisher's to obey.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # Python aborts at its end if a thread holds the lock of sys.stdin or sys.stdout, as one that waits for orders does.
    orders, output = open(0, "rb", closefd=False), open(1, "wb", closefd=False)  # noqa: SIM115 - until the end
    task = orjson.loads(orders.readline())
    settings = load_settings()
    configure_logs(settings.log_style, settings.log_level)
    configure_traces(kind, is_on=settings.traces)
    with structlog.contextvars.bound_contextvars(run_id=task[0]):
        yield Belonging(task, settings, orders, output)
