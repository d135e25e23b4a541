"""The delivery service and the pusher as processes of their own."""

import http.client
import os
import sys
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from demo.servers import LOOPBACK, LoopbackServer

_ANSWER_WITHIN_SECONDS = 5


class DeliveryService(LoopbackServer):
    """Serves the published schedules of the keyspace that the environment names."""

    # It waits three seconds for open streams, then stores the usage that it counted.
    stop_within_seconds = 15.0

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str],
        port: int | None = None,
        port_setting: str = "SCHEDULES_DELIVERY_PORT",
        host: str = LOOPBACK,
    ) -> None:
        super().__init__("delivery", directory, port, port_setting)
        self._given_environment = environment
        self._host = host

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def _command(self, port: int) -> list[str]:
        return [sys.executable, "-m", "schedules_pipeline.delivery"]

    def _environment(self, port: int) -> Mapping[str, str] | None:
        address = {"SCHEDULES_DELIVERY_HOST": self._host, "SCHEDULES_DELIVERY_PORT": str(port)}
        return {**os.environ, **self._given_environment, **address}

    def _is_ready(self, port: int, pid: int) -> bool:
        return _status(port, "/health/live", {}) == HTTPStatus.OK

    def admits(self, key: str) -> bool:
        """Whether a request with this key is answered: delivery has read the partners and the schedules."""
        try:
            return _status(self.port, "/v1/services", {"Authorization": f"Bearer {key}"}) == HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False


class PushService(LoopbackServer):
    """Pushes changes to subscribers. It listens on no port."""

    # It finishes the request that it has begun.
    stop_within_seconds = 15.0

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        super().__init__("pusher", directory, None, "")
        self._given_environment = environment

    def _command(self, port: int) -> list[str]:
        return [sys.executable, "-m", "schedules_pipeline.push"]

    def _environment(self, port: int) -> Mapping[str, str] | None:
        return {**os.environ, **self._given_environment}

    def _is_ready(self, port: int, pid: int) -> bool:
        """Read from its log, because it has no port to ask."""
        return "pushing" in self._log_of_this_start()


def _status(port: int, path: str, headers: Mapping[str, str]) -> int:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_ANSWER_WITHIN_SECONDS)
    try:
        connection.request("GET", path, headers=dict(headers))
        return connection.getresponse().status
    finally:
        connection.close()
