"""The old system as a process of its own. It listens on no port."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from demo.servers import LoopbackServer


class OldSystemService(LoopbackServer):
    """Generates every schedule, pauses for ``refresh_seconds``, and begins again."""

    def __init__(self, directory: Path, environment: Mapping[str, str], refresh_seconds: float) -> None:
        super().__init__("old-system", directory, None, "")
        self._given_environment = environment
        self._refresh_seconds = refresh_seconds

    def _command(self, port: int) -> list[str]:
        env = self._given_environment
        options = [
            "--redis-url",
            env["SCHEDULES_REDIS_URL"],
            "--s3-endpoint",
            env["SCHEDULES_AWS_ENDPOINT_URL"],
        ]
        pause = ["--interval-seconds", str(self._refresh_seconds)]
        return [sys.executable, "-m", "demo.old_system", *options, *pause]

    def _environment(self, port: int) -> Mapping[str, str] | None:
        return {**os.environ, **self._given_environment}

    def _is_ready(self, port: int, pid: int) -> bool:
        return True
