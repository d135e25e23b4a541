"""Dagster as the demonstration runs it: a code server, a webserver and a daemon, each a process of its own.

Belongs here: starting them, and the one request that launches the coldstart. They stop as the servers do.
Does not belong here: anything that Dagster runs.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from demo.servers import LOOPBACK, LoopbackServer, is_free
from schedules_pipeline.errors import ServiceError

LOCATION = "schedules_pipeline"
_MODULE = "schedules_pipeline.definitions"
_TIMEOUT_SECONDS = 30


class DagsterProcess(LoopbackServer):
    """One of Dagster's programs, with the environment that it and its children get."""

    stop_within_seconds = 2.0

    def __init__(
        self, name: str, directory: Path, environment: Mapping[str, str], port: int | None = None
    ) -> None:
        super().__init__(name, directory, port, "WEB_PORT", start_within_seconds=90.0)
        self._given_environment = environment

    def _environment(self, port: int) -> Mapping[str, str] | None:
        return {**os.environ, **self._given_environment}

    def _is_ours(self, port: int, pid: int) -> bool:
        """The port was free and the process lives, so what listens there is what we started."""
        return not is_free(port)


class CodeServer(DagsterProcess):
    """Serves the definitions to the other two, and starts the runs, so that imports are done once."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        super().__init__("code-server", directory, environment)

    def _command(self, port: int) -> list[str]:
        options = ["-m", _MODULE, "-h", LOOPBACK, "-p", str(port), "--location-name", LOCATION]
        return [sys.executable, "-m", "dagster", "api", "grpc", *options, "--inject-env-vars-from-instance"]

    def write_workspace(self) -> Path:
        """A workspace that names this server; the repository's own would start one for each reader."""
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

    def _is_ours(self, port: int, pid: int) -> bool:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/server_info", timeout=5) as answer:
            return bool(answer.status == 200)

    def query(self, text: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Ask GraphQL; raise :class:`ServiceError` where it has no answer."""
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
    """Runs the sensors and the backfills. Listens on no port: the one it is given only marks its life."""

    def __init__(self, directory: Path, environment: Mapping[str, str], workspace: Path) -> None:
        super().__init__("daemon", directory, environment)
        self._workspace = workspace

    def _command(self, port: int) -> list[str]:
        return [sys.executable, "-m", "dagster._daemon", "run", "-w", str(self._workspace)]

    def _is_ours(self, port: int, pid: int) -> bool:
        return self.log_path.stat().st_size > 0


_LAUNCH = """
mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""

_RUNS = """
query($id: String!) {
  runsOrError(filter: {tags: [{key: "dagster/backfill", value: $id}]}) {
    ... on Runs { results { status } }
  }
}
"""


def launch_coldstart(webserver: Webserver, shards: Sequence[str]) -> str:
    """Launch the backfill over all shards of the coldstart; answers with its id."""
    params = {
        "selector": {
            "partitionSetName": "coldstart_partition_set",
            "repositorySelector": {"repositoryName": "__repository__", "repositoryLocationName": LOCATION},
        },
        "partitionNames": list(shards),
        "title": "Coldstart",
    }
    result = webserver.query(_LAUNCH, {"params": params})["launchPartitionBackfill"]
    if "backfillId" not in result:
        raise ServiceError(f"the coldstart was not launched: {result.get('message', result['__typename'])}")
    return str(result["backfillId"])


def run_statuses(webserver: Webserver, backfill_id: str) -> list[str]:
    """The statuses of the runs that a backfill has launched so far."""
    results = webserver.query(_RUNS, {"id": backfill_id})["runsOrError"]["results"]
    return [run["status"] for run in results]
