"""The delivery service and the pusher as the demonstration and the tests run them: processes of their own."""

import http.client
import os
import sys
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from demo.servers import LOOPBACK, LoopbackServer

_ANSWER_WITHIN_SECONDS = 5


class DeliveryService(LoopbackServer):
    """Serves partners what is published in the keyspace that its environment describes."""

    # Streams are given three seconds, and what was counted is stored after the last of them.
    stop_within_seconds = 15.0

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str],
        port: int | None = None,
        port_setting: str = "SCHEDULES_DELIVERY_PORT",
    ) -> None:
        super().__init__("delivery", directory, port, port_setting, start_within_seconds=30.0)
        self._given_environment = environment

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def _command(self, port: int) -> list[str]:
        return [sys.executable, "-m", "schedules_pipeline.delivery"]

    def _environment(self, port: int) -> Mapping[str, str] | None:
        address = {"SCHEDULES_DELIVERY_HOST": LOOPBACK, "SCHEDULES_DELIVERY_PORT": str(port)}
        return {**os.environ, **self._given_environment, **address}

    def _is_ours(self, port: int, pid: int) -> bool:
        return _status(port, "/health/live", {}) == HTTPStatus.OK

    def knows(self, key: str) -> bool:
        """Whether who has this key is answered: the service has read who partners are, and what is published."""
        try:
            return _status(self.port, "/v1/services", {"Authorization": f"Bearer {key}"}) == HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False


class PushService(LoopbackServer):
    """Pushes changes to those who subscribe; it listens on nothing."""

    # A turn ends with the request that it is at.
    stop_within_seconds = 15.0

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        super().__init__("pusher", directory, None, "", start_within_seconds=30.0)
        self._given_environment = environment

    def _command(self, port: int) -> list[str]:
        return [sys.executable, "-m", "schedules_pipeline.push"]

    def _environment(self, port: int) -> Mapping[str, str] | None:
        return {**os.environ, **self._given_environment}

    def _is_ours(self, port: int, pid: int) -> bool:
        """It says so in its log, since there is nothing that it could be asked by."""
        return "pushing" in self.log_path.read_text()


def _status(port: int, path: str, headers: Mapping[str, str]) -> int:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_ANSWER_WITHIN_SECONDS)
    try:
        connection.request("GET", path, headers=dict(headers))
        return connection.getresponse().status
    finally:
        connection.close()
