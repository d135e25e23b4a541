"""Starts and stops the measured servers, each on one core: delivery, the framework's bare hello, nginx with files."""

import gzip
import http.client
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

from demo.servers import LOOPBACK, LoopbackServer

_Server = TypeVar("_Server", bound=LoopbackServer)

_ANSWERS_WITHIN_SECONDS = 5.0
_REPOSITORY = Path(__file__).parents[1]
_FILES_MEDIA_TYPE = "application/json"

_NGINX = """\
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/nginx-error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    server_tokens off;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=100;
    keepalive_requests 1000000000;
    keepalive_timeout 300s;
    default_type {media_type};
    client_body_temp_path {directory}/temp;
    proxy_temp_path {directory}/temp;
    fastcgi_temp_path {directory}/temp;
    uwsgi_temp_path {directory}/temp;
    scgi_temp_path {directory}/temp;
    server {{
        listen 127.0.0.1:{port};
        root {directory}/files;
        gzip_static on;
        gzip_vary on;
        add_header Cache-Control "private, max-age=30, stale-if-error=86400";
    }}
}}
"""


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Processes that this thread starts within the block run on this core alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def started(server: _Server, core: int) -> Iterator[_Server]:
    """Run the server on this core for the length of the block."""
    with ExitStack() as stack:
        with on_core(core):
            stack.enter_context(server)
        yield server


def nginx_executable() -> str | None:
    """Also found in /usr/sbin, which is not in every user's PATH."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class Answer(NamedTuple):
    """``headers`` by their names in lower case. ``size``: of the whole answer on the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    size: int


def get(port: int, path: str, headers: Mapping[str, str]) -> Answer:
    """Return one answer with its body as it was sent."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_ANSWERS_WITHIN_SECONDS)
    try:
        connection.request("GET", path, headers=dict(headers))
        response = connection.getresponse()
        fields, body = response.getheaders(), response.read()
    finally:
        connection.close()
    lines = [
        f"HTTP/1.1 {response.status} {response.reason}",
        *(f"{name}: {value}" for name, value in fields),
        "",
    ]
    size = sum(len(line) + len("\r\n") for line in lines) + len(body)
    return Answer(response.status, {name.lower(): value for name, value in fields}, body, size)


class WebServer(LoopbackServer):
    """Ready when it answers. Its port was free before the start."""

    ready_path = "/"
    ready_statuses: tuple[int, ...] = (200,)

    def __init__(self, name: str, directory: Path, start_within_seconds: float = 60.0) -> None:
        super().__init__(name, directory, None, "", start_within_seconds)

    def resident_bytes(self) -> int:
        """The resident memory of the process."""
        return _resident_kilobytes(self.pid) * 1024

    def resident_bytes_of_children(self) -> list[int]:
        """The resident memory of each process that this one has started."""
        listed = (path.read_text() for path in Path(f"/proc/{self.pid}/task").glob("*/children"))
        return [_resident_kilobytes(int(pid)) * 1024 for pids in listed for pid in pids.split()]

    def _environment(self, _: int) -> Mapping[str, str] | None:
        return {**os.environ, "PYTHONPATH": str(_REPOSITORY)}

    def _is_ready(self, port: int, _: int) -> bool:
        return get(port, self.ready_path, {}).status in self.ready_statuses


class DeliveryServer(WebServer):
    """``python -m schedules_pipeline.delivery``, as it is deployed. Ready when its mirror is filled; where the
    keyspace ``is_empty``, when it answers.
    """

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, str],
        *,
        is_empty: bool = False,
        start_within_seconds: float = 60.0,
    ) -> None:
        super().__init__("delivery", directory, start_within_seconds)
        self._settings = settings
        self.ready_path = "/health/live" if is_empty else "/health/ready"

    def _command(self, _: int) -> list[str]:
        return [sys.executable, "-m", "schedules_pipeline.delivery"]

    def _environment(self, port: int) -> Mapping[str, str]:
        return {**os.environ, **self._settings, "SCHEDULES_DELIVERY_PORT": str(port)}


class BareHello(WebServer):
    ready_path = "/hello"

    def __init__(self, directory: Path) -> None:
        super().__init__("hello", directory)

    def _command(self, port: int) -> list[str]:
        return [sys.executable, "-m", "benchmarks.bare_hello", str(port)]


class Nginx(WebServer):
    """One worker that serves the given files, in gzip to clients that accept it."""

    ready_statuses = (200, 403)

    def __init__(self, directory: Path, executable: str, files: Mapping[str, bytes]) -> None:
        super().__init__("nginx", directory)
        self._executable = executable
        self._files = files

    def _command(self, port: int) -> list[str]:
        served = self.directory / "files"
        served.mkdir(exist_ok=True)
        for name, content in self._files.items():
            (served / name).write_bytes(content)
            (served / f"{name}.gz").write_bytes(gzip.compress(content, 6, mtime=0))
        settings = self.directory / "nginx.conf"
        settings.write_text(_NGINX.format(directory=self.directory, port=port, media_type=_FILES_MEDIA_TYPE))
        return [self._executable, "-p", str(self.directory), "-c", str(settings)]


def _resident_kilobytes(pid: int) -> int:
    """Raises ValueError if the kernel does not report it."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "VmRSS":
            return int(value.split()[0])
    raise ValueError(f"no VmRSS of process {pid}")
