"""Dagster's code server, webserver and daemon, each as a process of its own."""

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from demo.servers import LOOPBACK, LoopbackServer, is_free
from schedules_pipeline.errors import ServiceError

LOCATION = "schedules_pipeline"
_MODULE = "schedules_pipeline.definitions"
_TIMEOUT_SECONDS = 30
_SETTINGS = Path(__file__).parents[1] / "dagster.yaml"
_POSTGRES_VARIABLE = "DAGSTER_POSTGRES_URL"


def write_dagster_home(home: Path, postgres_url: str | None) -> Mapping[str, str]:
    """Write the settings of an instance whose records are in that database, or in SQLite below ``home`` without one.

    Returns the environment of every process that uses the instance. The password is in no file of Dagster's.
    """
    home.mkdir(parents=True, exist_ok=True)
    text = _SETTINGS.read_text()
    environment = {"DAGSTER_HOME": str(home)}
    if postgres_url is None:
        text += "\n" + yaml.safe_dump(one_file_storage(home / "history"))
    else:
        text += "\n" + yaml.safe_dump({"storage": pooled_postgres({"env": _POSTGRES_VARIABLE})})
        environment[_POSTGRES_VARIABLE] = postgres_url
    (home / "dagster.yaml").write_text(text)
    return environment


def pooled_postgres(url: str | dict[str, str]) -> dict[str, Any]:
    """Settings of a storage on the Postgres of this address."""
    module, config = "schedules_pipeline.pooled_postgres", {"postgres_url": url}
    return {"custom": {"module": module, "class": "PooledPostgresStorage", "config": config}}


def one_file_storage(directory: Path) -> dict[str, Any]:
    """Settings of an instance that keeps all events in one SQLite file. Dagster's default makes a file for each run,
    and each batch of records is a run.
    """
    config = {"base_dir": str(directory)}
    storage = {
        "module": "dagster._core.storage.event_log",
        "class": "ConsolidatedSqliteEventLogStorage",
        "config": config,
    }
    return {"event_log_storage": storage}


class DagsterProcess(LoopbackServer):
    """One of Dagster's programs. It and its children get the environment."""

    stop_within_seconds = 2.0

    def __init__(
        self, name: str, directory: Path, environment: Mapping[str, str], port: int | None = None
    ) -> None:
        super().__init__(name, directory, port, "WEB_PORT")
        self._given_environment = environment

    def _environment(self, port: int) -> Mapping[str, str] | None:
        return {**os.environ, **self._given_environment}

    def _is_ready(self, port: int, pid: int) -> bool:
        """The port was free before the start, so its listener is this process."""
        return not is_free(port)


class CodeServer(DagsterProcess):
    """Serves the definitions to the other two and starts the runs, so that modules are imported once."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        super().__init__("code-server", directory, environment)

    def _command(self, port: int) -> list[str]:
        options = ["-m", _MODULE, "-h", LOOPBACK, "-p", str(port), "--location-name", LOCATION]
        module = "schedules_pipeline.code_server"
        return [sys.executable, "-m", module, *options, "--inject-env-vars-from-instance"]

    def write_workspace(self) -> Path:
        """Write a workspace that names this server; the repository's own would start another for each reader."""
        path = self.directory / "workspace.yaml"
        path.write_text(
            "load_from:\n  - grpc_server:\n"
            f"      host: {LOOPBACK}\n      port: {self.port}\n      location_name: {LOCATION}\n"
        )
        return path


class Webserver(DagsterProcess):
    """The Dagster UI, and its GraphQL endpoint."""

    def __init__(
        self, directory: Path, environment: Mapping[str, str], workspace: Path, port: int | None
    ) -> None:
        super().__init__("webserver", directory, environment, port)
        self._workspace = workspace

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def _command(self, port: int) -> list[str]:
        options = ["-w", str(self._workspace), "-h", LOOPBACK, "-p", str(port)]
        return [sys.executable, "-m", "dagster_webserver", *options]

    def _is_ready(self, port: int, pid: int) -> bool:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/server_info", timeout=5) as answer:
            return bool(answer.status == 200)

    def query(self, text: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Send a GraphQL query. Raises ServiceError if the webserver does not answer or reports an error."""
        body = json.dumps({"query": text, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
                reply = json.load(answer)
        except (urllib.error.URLError, TimeoutError) as error:
            raise ServiceError(f"Dagster's webserver: {error}") from error
        if "errors" in reply:
            raise ServiceError(f"Dagster's webserver: {reply['errors'][0]['message']}")
        data: dict[str, Any] = reply["data"]
        return data


class Daemon(DagsterProcess):
    """Runs sensors and backfills. It listens on no port."""

    def __init__(self, directory: Path, environment: Mapping[str, str], workspace: Path) -> None:
        super().__init__("daemon", directory, environment)
        self._workspace = workspace

    def _command(self, port: int) -> list[str]:
        return [sys.executable, "-m", "dagster._daemon", "run", "-w", str(self._workspace)]

    def _is_ready(self, port: int, pid: int) -> bool:
        return bool(self._log_of_this_start())
