"""The process in which a publisher records, so that publishing need not share an interpreter with it.

Recording a version takes longer than publishing it. In one process of Python both would wait for each other, and a
change would wait for the records of the changes before it (docs/adr/0040).

The publisher starts the process with ``python -m``. It writes one line to its standard input, which says what to record
into. The process records until that input ends, with the publisher if it was killed; after the line ``finish`` it
records everything that is published first. It writes the lines of the run's log to its standard output.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import IO, cast

import dagster as dg
import orjson
import structlog
from dagster._core.instance.ref import InstanceRef
from dagster._serdes import deserialize_value, serialize_value

from schedules_pipeline.connections import build_pipeline
from schedules_pipeline.jobs.recording_loop import RecordingLoop
from schedules_pipeline.jobs.run_log import RunLog
from schedules_pipeline.logs import configure_logs
from schedules_pipeline.settings import load_settings
from schedules_pipeline.tracing import configure_traces

_COMMAND = (sys.executable, "-m", "schedules_pipeline.jobs.recording_process")
_FINISH = b"finish\n"
_NICENESS = 5
"""Where processors are few, publishing is first."""

_RESTARTS_AFTER_SECONDS = 5.0
_LOOKS_EVERY_SECONDS = 0.1
_LAST_RECORDS_SECONDS = 1.0
_LONGEST_LAST_STEP_SECONDS = 30.0


class RecordingProcess:
    """A publisher's recording, in a process of its own that runs while there is something to keep up with."""

    def __init__(self, instance: dg.DagsterInstance, run_id: str, log: RunLog) -> None:
        self._task = orjson.dumps([serialize_value(instance.get_ref()), run_id])
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = float("-inf")

    def keep_up(self) -> None:
        """Start the process if it does not run; after one that has ended by itself, not at once."""
        if self._process is not None and (code := self._process.poll()) is not None:
            self.stop(0)
            self._log.warning(f"recording ended with code {code} and starts again; standard error says why")
        if self._process is None and time.monotonic() >= self._started_at + _RESTARTS_AFTER_SECONDS:
            self._process = self._start()

    def dismiss(self) -> None:
        if self._process is not None:
            with suppress(OSError):
                cast("IO[bytes]", self._process.stdin).close()

    def stop(self, patience_seconds: float | None) -> None:
        self.dismiss()
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def finish(self) -> None:
        self._process = self._process or self._start()
        _send(self._process, _FINISH)
        self.stop(patience_seconds=None)

    def close(self) -> None:
        self.stop(_LAST_RECORDS_SECONDS)

    def _start(self) -> "subprocess.Popen[bytes]":
        self._started_at = time.monotonic()
        process = subprocess.Popen(_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - this program
        _send(process, self._task + b"\n")
        threading.Thread(target=self._pass_on, args=(process,), name="log of recording", daemon=True).start()
        return process

    def _pass_on(self, process: "subprocess.Popen[bytes]") -> None:
        for line in cast("IO[bytes]", process.stdout):
            level, text = orjson.loads(line)
            getattr(self._log, level)(text)


def _send(process: "subprocess.Popen[bytes]", line: bytes) -> None:
    """To a process that has ended, nothing is sent."""
    stdin = cast("IO[bytes]", process.stdin)
    with suppress(OSError):
        stdin.write(line)
        stdin.flush()


class _LinesToPublisher:
    """The run's log, as this process has it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def info(self, msg: str) -> None:
        self._write("info", msg)

    def warning(self, msg: str) -> None:
        self._write("warning", msg)

    def _write(self, level: str, text: str) -> None:
        with suppress(BrokenPipeError):
            self._stream.write(orjson.dumps([level, text]) + b"\n")
            self._stream.flush()


class _Orders:
    """What the publisher says on standard input after the first line. ``has_ended``: set at its end."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.has_ended = threading.Event()
        self.finish_first = False
        self._stream = stream
        threading.Thread(target=self._read, name="orders", daemon=True).start()

    def _read(self) -> None:
        self.finish_first = self._stream.readline() == _FINISH
        self.has_ended.set()
        if not self.finish_first:
            time.sleep(_LONGEST_LAST_STEP_SECONDS)
            # The publisher that would have killed it is dead.
            os._exit(1)


def main() -> None:
    # A signal to the publisher's group is the publisher's to obey.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.nice(_NICENESS)
    lines, standard_input = _LinesToPublisher(sys.stdout.buffer), sys.stdin.buffer
    instance_ref, run_id = orjson.loads(standard_input.readline())
    orders = _Orders(standard_input)
    settings = load_settings()
    configure_logs(settings.log_style, settings.log_level)
    configure_traces("recorder", is_on=settings.traces)
    with (
        structlog.contextvars.bound_contextvars(run_id=run_id),
        dg.DagsterInstance.from_ref(deserialize_value(instance_ref, InstanceRef)) as instance,
    ):
        run = instance.get_run_by_id(run_id)
        if run is None:
            raise SystemExit(f"Dagster has no run {run_id}, which wants its versions recorded")
        pipeline = build_pipeline(settings)
        # What an earlier process of this publisher took.
        pipeline.store.feed.return_unrecorded(run_id)
        loop = RecordingLoop(pipeline, settings, instance, run, lines)
        while not orders.has_ended.is_set():
            loop.keep_up()
            orders.has_ended.wait(_LOOKS_EVERY_SECONDS)
        if orders.finish_first:
            loop.finish()


if __name__ == "__main__":
    main()
