"""A server of the demonstration that ends is reported and started again."""

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest

from demo.command_line import main
from demo.servers import LoopbackServer, is_free
from demo.supervision import Supervisor
from schedules_pipeline.errors import ServiceError

_PATIENCE_SECONDS = 30.0


class Listener(LoopbackServer):
    """Listens on its port, in a process group with a child."""

    def __init__(
        self, directory: Path, code: str = "import http.server as h; h.test(bind='127.0.0.1', port={})"
    ) -> None:
        super().__init__("listener", directory, None, "", start_within_seconds=_PATIENCE_SECONDS)
        self._code = code

    def _command(self, port: int) -> list[str]:
        return [sys.executable, "-c", self._code.format(port)]

    def _environment(self, port: int) -> Mapping[str, str] | None:
        return None

    def _is_ready(self, port: int, pid: int) -> bool:
        return not is_free(port)


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    with Listener(tmp_path) as server:
        yield server


def _check_until(supervisor: Supervisor, lines: list[str], count: int) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while len(lines) < count and time.monotonic() < until:
        supervisor.check()
        time.sleep(0.02)


def test_a_killed_server_is_reported_and_started_again(listener: Listener) -> None:
    """With its name and its signal, on the same port, and its log goes on."""
    lines: list[str] = []
    supervisor = Supervisor(lines.append)
    supervisor.watch("listener", listener)
    port, pid = listener.port, listener.pid
    listener.log_path.write_text("an old line\n")

    os.kill(pid, signal.SIGKILL)
    _check_until(supervisor, lines, 2)

    assert lines == ["listener ended with signal 9; it is started again in 0.5 s", "listener runs again"]
    assert (listener.port, is_free(port)) == (port, False)
    assert listener.pid != pid
    assert listener.log_path.read_text().startswith("an old line")


def test_a_running_server_is_left_alone(listener: Listener) -> None:
    """A check neither waits nor prints."""
    lines: list[str] = []
    supervisor = Supervisor(lines.append)
    supervisor.watch("listener", listener)
    pid = listener.pid

    supervisor.check()

    assert (lines, listener.pid) == ([], pid)


def test_a_server_that_ends_again_and_again_ends_the_demonstration(tmp_path: Path) -> None:
    """Pauses double, and the error names the exit code and the log."""
    lines: list[str] = []
    now = [0.0]
    server = Listener(tmp_path, "import sys; sys.exit(7)")
    supervisor = Supervisor(lines.append, lambda: now[0])
    server.launch()
    supervisor.watch("listener", server, is_starting=True)

    with pytest.raises(ServiceError, match=r"exit code 7, for the 5th time .*listener\.log"):
        _until_it_fails(supervisor, now)

    server.stop()
    assert [line.split(" in ")[1] for line in lines] == ["0.5 s", "1 s", "2 s", "4 s"]


def _until_it_fails(supervisor: Supervisor, now: list[float]) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        supervisor.check()
        now[0] += 0.2
        time.sleep(0.02)


def test_a_server_that_holds_everything_in_memory_is_not_started_again(listener: Listener) -> None:
    """What it held is gone, and the error says so."""
    supervisor = Supervisor(lambda _: None)
    supervisor.watch("the emulator", listener, in_memory=True)
    os.kill(listener.pid, signal.SIGKILL)

    with pytest.raises(ServiceError, match="the emulator ended with signal 9"):
        _check_until(supervisor, [], 1)


def test_a_slow_answer_stops_nothing(tmp_path: Path) -> None:
    """A server that was launched is reported when it answers; until then checks go on."""
    lines: list[str] = []
    supervisor = Supervisor(lines.append)
    server = Listener(
        tmp_path, "import time; time.sleep(0.5); import http.server as h; h.test(bind='127.0.0.1', port={})"
    )
    server.launch()
    supervisor.watch("monitoring", server, is_starting=True)

    supervisor.check()
    before = list(lines)
    _check_until(supervisor, lines, 1)

    server.stop()
    assert (before, lines) == ([], ["monitoring answers"])


def test_a_second_demonstration_says_what_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The holder's process, where its addresses are, how to end it, and how to run another beside it."""
    directory = tmp_path / "run"
    with (tmp_path / "run.lock").open("w") as held:
        held.write("process 4711, since 10:05:00")
        held.flush()
        flock(held, LOCK_EX)

        status = main(["--directory", str(directory), "--no-open"])

    told = capsys.readouterr().err
    assert status == 1
    for part in ("process 4711, since 10:05:00", f"{directory}/environment", "Ctrl-C", "--directory .run-2"):
        assert part in told
