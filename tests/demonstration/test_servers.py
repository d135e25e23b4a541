"""Starting, checking and stopping real servers on loopback."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Protocol

import pytest
from redis import Redis

from demo.postgres import PostgresServer
from demo.servers import (
    LOOPBACK,
    AwsEmulator,
    PortInUse,
    RedisServer,
    ServerDidNotStart,
    find_free_port,
    is_free,
)

# Long enough for the slowest machine: reaching it is a failure, never a measurement.
_PATIENCE_SECONDS = 30.0


class _MakeServer(Protocol):
    def __call__(
        self, directory: Path, *, port: int | None = None
    ) -> RedisServer | AwsEmulator | PostgresServer: ...


@pytest.fixture(params=["redis", "emulator", "postgres"])
def make_server(request: pytest.FixtureRequest) -> _MakeServer:
    """Make a server of each kind, not yet started."""
    if request.param == "postgres":
        request.getfixturevalue("postgres_server")
        return PostgresServer
    if request.param == "redis":
        redis_executable: Path = request.getfixturevalue("redis_executable")
        return lambda directory, *, port=None: RedisServer(directory, port=port, executable=redis_executable)
    emulator_executable: Path = request.getfixturevalue("emulator_executable")
    return lambda directory, *, port=None: AwsEmulator(emulator_executable, directory, port=port)


@contextmanager
def _taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        yield taken.getsockname()[1]


def _connect(port: int) -> socket.socket:
    return socket.create_connection((LOOPBACK, port), timeout=_PATIENCE_SECONDS)


def _read_to_end(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1)
    except ConnectionResetError:
        return b""


def _await_rejection(port: int) -> None:
    """Return once the port has no listener. The connection times out if a server still runs."""
    while True:
        try:
            with _connect(port) as connection:
                _read_to_end(connection)
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            continue


def test_server_answers_inside_and_is_gone_after(make_server: _MakeServer, tmp_path: Path) -> None:
    """A server listens for the length of the block, and its process and port are gone after it."""
    with make_server(tmp_path) as server:
        pid, port = server.pid, server.port
        _connect(port).close()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert is_free(port)


def test_server_takes_the_port_it_is_given(make_server: _MakeServer, tmp_path: Path) -> None:
    """A server listens on the port that it was given."""
    port = find_free_port()

    with make_server(tmp_path, port=port) as server:
        assert server.port == port
        assert not is_free(port)


def test_server_stops_when_the_block_fails(make_server: _MakeServer, tmp_path: Path) -> None:
    """An error inside the block stops the server and passes on."""
    server = make_server(tmp_path)

    with pytest.raises(LookupError), server:
        raise LookupError

    assert is_free(server.port)


def test_server_starts_again_on_the_same_port(make_server: _MakeServer, tmp_path: Path) -> None:
    """A server that had clients and was stopped can start again at once on the same port."""
    with make_server(tmp_path) as first:
        connection = _connect(first.port)
    _read_to_end(connection)

    with make_server(tmp_path, port=first.port) as second:
        assert second.port == first.port


def test_port_in_use_names_port_and_setting(make_server: _MakeServer, tmp_path: Path) -> None:
    """A port with another listener is rejected; the message names the port and the setting to change."""
    with _taken_port() as port:
        server = make_server(tmp_path, port=port)

        with pytest.raises(PortInUse, match=rf"port {port} .* set SCHEDULES_\w+_PORT"):
            server.__enter__()


def test_server_of_someone_else_is_left_alone(make_server: _MakeServer, tmp_path: Path) -> None:
    """A second server on the port of a running one is rejected, and the first one goes on."""
    with make_server(tmp_path / "first") as first:
        second = make_server(tmp_path / "second", port=first.port)

        with pytest.raises(PortInUse):
            second.__enter__()

        os.kill(first.pid, 0)
        _connect(first.port).close()


def test_free_port_lost_to_another_is_replaced(
    make_server: _MakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port that is taken between being found and being used costs another attempt, not the start."""
    with _taken_port() as lost:
        ports = iter([lost, find_free_port()])
        monkeypatch.setattr("demo.servers.find_free_port", lambda: next(ports))

        with make_server(tmp_path) as server:
            assert server.port != lost


def test_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A program that does not exist is named in the error."""
    server = RedisServer(tmp_path, executable=tmp_path / "absent-server")

    with pytest.raises(ServerDidNotStart, match=r"cannot run .*absent-server"):
        server.__enter__()


def test_server_that_ends_shows_its_log(redis_executable: Path, tmp_path: Path) -> None:
    """A server that refuses its arguments is an error that carries the end of its log."""
    server = RedisServer(tmp_path, executable=redis_executable, extra_arguments=["--no-such-option", "1"])

    with pytest.raises(ServerDidNotStart, match="no-such-option"):
        server.__enter__()


def test_server_that_never_answers_is_stopped(tmp_path: Path) -> None:
    """A program that runs and never answers is an error at the deadline, and does not run on."""
    silent = tmp_path / "silent"
    silent.write_text('#!/bin/sh\necho "pid $$"\nexec sleep 600\n')
    silent.chmod(0o700)
    server = RedisServer(tmp_path / "data", executable=silent, start_within_seconds=0.3)

    with pytest.raises(ServerDidNotStart, match="did not answer within"):
        server.__enter__()

    pid = int(server.log_path.read_text().split()[1])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_answer_of_another_process_is_not_enough(redis_executable: Path, tmp_path: Path) -> None:
    """A Redis server that answers on the port without being the child is not taken for it."""
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexec sleep 600\n")
    silent.chmod(0o700)
    ours = RedisServer(tmp_path / "ours", executable=silent, start_within_seconds=0.5)

    with (
        RedisServer(tmp_path / "theirs", executable=redis_executable) as theirs,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("demo.servers.find_free_port", lambda: theirs.port)
        with pytest.raises(ServerDidNotStart):
            ours.__enter__()

        os.kill(theirs.pid, 0)


def test_redis_keeps_nothing_on_disk(redis_executable: Path, tmp_path: Path) -> None:
    """By default a Redis server leaves nothing but its log behind."""
    with RedisServer(tmp_path, executable=redis_executable) as server, Redis.from_url(server.url) as client:
        client.set("key", "value")

    assert [path.name for path in tmp_path.iterdir()] == ["redis.log"]


def test_redis_obeys_extra_arguments(redis_executable: Path, tmp_path: Path) -> None:
    """With an append-only file asked for, a write is there again after a restart."""
    durable = ("--appendonly", "yes")
    with RedisServer(tmp_path, executable=redis_executable, extra_arguments=durable) as server:
        Redis.from_url(server.url).set("key", "value")

    with RedisServer(tmp_path, executable=redis_executable, extra_arguments=durable) as server:
        assert Redis.from_url(server.url).get("key") == b"value"


@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's table of sockets")
def test_server_listens_on_loopback_alone(make_server: _MakeServer, tmp_path: Path) -> None:
    """A server's every listening socket is one of 127.0.0.1."""
    with make_server(tmp_path) as server:
        sockets = set(_open_files(server.pid))
        rows = [
            line.split()
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/{server.pid}/net/{table}").read_text().splitlines()[1:]
        ]

    listening = {row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets}
    assert listening == {f"0100007F:{server.port:04X}"}


def _open_files(pid: int) -> Iterator[str]:
    """A connection may end while the files are read."""
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            yield str(path.readlink())


_OWNER = """
import sys, time
from pathlib import Path
from demo.servers import AwsEmulator, RedisServer
redis = RedisServer(Path(sys.argv[2]) / "redis", executable=Path(sys.argv[1]))
emulator = AwsEmulator(Path(sys.argv[3]), Path(sys.argv[2]) / "emulator")
with redis, emulator:
    print(redis.port, emulator.port, flush=True)
    time.sleep(600)
"""


def test_killed_owner_leaves_no_server(
    redis_executable: Path, emulator_executable: Path, tmp_path: Path
) -> None:
    """Servers end with the process that started them when that one is killed with -9."""
    command = [sys.executable, "-c", _OWNER, str(redis_executable), str(tmp_path), str(emulator_executable)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as owner, ExitStack() as connections:
        assert owner.stdout is not None
        ports = [int(word) for word in owner.stdout.readline().split()]
        opened = [connections.enter_context(_connect(port)) for port in ports]

        owner.send_signal(signal.SIGKILL)

        assert [_read_to_end(connection) for connection in opened] == [b"", b""]
    for port in ports:
        _await_rejection(port)
