"""Finds, kills and replaces the processes that a fault strikes."""

import os
import re
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import dagster as dg

from demo.dagster_services import CodeServer, DagsterProcess
from demo.servers import LoopbackServer


def pid_of_run(instance: dg.DagsterInstance, run_id: str) -> int:
    """Dagster records the process of each run that it starts."""
    events = instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    messages = [entry.message for entry in events]
    found = [match for message in messages if (match := re.search(r"\(pid: (\d+)\)", message))]
    return int(found[-1].group(1))


def receivers_of(publisher: int) -> list[int]:
    """The processes that it has started to receive from the queues."""
    tasks = Path(f"/proc/{publisher}/task").glob("*/children")
    children = [int(pid) for task in tasks for pid in task.read_text().split()]
    return [pid for pid in children if b"receiving_process" in _command(pid)]


def _command(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def kill_group(process: LoopbackServer) -> None:
    """Kill the process and its children, and reap it."""
    os.killpg(process.pid, signal.SIGKILL)
    process.__exit__(None, None, None)


class CodeServerOnPort(CodeServer):
    """A code server at the address that the workspace names, so that it can be replaced."""

    def __init__(self, directory: Path, environment: Mapping[str, str], port: int) -> None:
        DagsterProcess.__init__(self, "code-server", directory, environment, port)
