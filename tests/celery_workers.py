"""Standing Celery workers as processes of a test."""

import os
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from demo.servers import LoopbackServer


class Worker(LoopbackServer):
    """A worker with so many processes for runs. It listens on no port."""

    # It interrupts its runs and waits for their end.
    stop_within_seconds = 30.0

    def __init__(
        self, name: str, directory: Path, environment: Mapping[str, str], concurrency: int = 2
    ) -> None:
        super().__init__(name, directory, None, "")
        self.host = f"{name}@test"
        self._given_environment = environment
        self._concurrency = concurrency

    def kill(self) -> None:
        """Kill the worker without warning. The kernel kills the processes of its runs with it."""
        os.kill(self.pid, signal.SIGKILL)
        self._running().wait()

    def unfinished_runs(self) -> set[str]:
        """The runs that the worker has received since its start and not ended, by its log."""
        found = re.findall(r"\[([0-9a-f-]{36})\] (\w+)", self._log_of_this_start())
        received = {run_id for run_id, event in found if event == "received"}
        return received - {run_id for run_id, event in found if event in {"succeeded", "raised"}}

    def _command(self, port: int) -> list[str]:
        app = ["-A", "schedules_pipeline.warm_workers.app", "worker", "-n", self.host]
        return [sys.executable, "-m", "celery", *app, "-c", str(self._concurrency), "--loglevel=INFO"]

    def _environment(self, port: int) -> Mapping[str, str]:
        return {**os.environ, **self._given_environment}

    def _is_ready(self, port: int, pid: int) -> bool:
        return f"{self.host} ready." in self._log_of_this_start()
