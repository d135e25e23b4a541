"""The monitoring service as a process of its own."""

import http.client
import os
import sys
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from demo.servers import LOOPBACK, LoopbackServer

_ANSWER_WITHIN_SECONDS = 5


class MonitoringService(LoopbackServer):
    """Serves metrics and health of the pipeline that the environment names."""

    def __init__(self, directory: Path, environment: Mapping[str, str], port: int | None = None) -> None:
        super().__init__("monitoring", directory, port, "SCHEDULES_MONITORING_PORT")
        self._given_environment = environment

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def _command(self, port: int) -> list[str]:
        return [sys.executable, "-m", "schedules_pipeline.health"]

    def _environment(self, port: int) -> Mapping[str, str] | None:
        address = {"SCHEDULES_MONITORING_HOST": LOOPBACK, "SCHEDULES_MONITORING_PORT": str(port)}
        return {**os.environ, **self._given_environment, **address}

    def _is_ready(self, port: int, pid: int) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_ANSWER_WITHIN_SECONDS)
        try:
            connection.request("GET", "/health/live")
            return connection.getresponse().status == HTTPStatus.OK
        finally:
            connection.close()
