"""Dagster's code server, with runs that start at once: each is forked from a process that has imported the definitions.

``python -m schedules_pipeline.code_server`` takes the options of ``dagster api grpc``, which starts an interpreter for
each run. There, the imports alone take two seconds of a CPU (docs/adr/0034).
"""

import logging
import sys
from multiprocessing import forkserver, get_context
from typing import Any

from dagster._cli.api import grpc_command
from dagster._grpc import server

_log = logging.getLogger("dagster.code_server")
_PRELOADED = [
    "schedules_pipeline.definitions",
    "dagster._grpc.server",
    "dagster._cli.api",
    "dagster_postgres",
]


class ForkingServer(server.DagsterApiServer):
    """Starts runs by a fork server: a process without threads or connections, whose memory its forks share."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        context = get_context("forkserver")
        context.set_forkserver_preload(_PRELOADED)
        self._mp_ctx = context  # type: ignore[assignment]
        # Otherwise the first run would wait for the imports. The server starts again by itself if it is killed.
        forkserver.ensure_running()

    def _check_for_orphaned_runs(self) -> None:
        """Report runs whose process has died. Dagster's thread for it ends with the first error, and a database that
        does not answer is one; then no later death would be reported.
        """
        try:
            super()._check_for_orphaned_runs()
        except Exception as error:  # noqa: BLE001 - each storage has errors of its own
            _log.warning("looking for dead runs again in a moment: %s", error)


def main() -> None:
    server.DagsterApiServer = ForkingServer  # type: ignore[misc]
    sys.argv[0] = "dagster api grpc"
    grpc_command()


if __name__ == "__main__":
    main()
