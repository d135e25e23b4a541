"""The log of a run, as the code of a run that stands for long writes to it."""

from typing import Protocol

import structlog

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class RunLog(Protocol):
    """Lines for a reader of the run in Dagster. Dagster's ``context.log`` is one."""

    def info(self, msg: str) -> None: ...

    def warning(self, msg: str) -> None: ...


class BestEffortLog:
    """The log of a run whose work does not wait for Dagster's database.

    Dagster stores each line, and raises if the database does not answer for some twelve seconds: the run would fail.
    Such a line goes to standard error instead.
    """

    def __init__(self, log: RunLog) -> None:
        self._inner = log

    def info(self, msg: str) -> None:
        try:
            self._inner.info(msg)
        except Exception as error:  # noqa: BLE001 - each storage has errors of its own
            _log.info(msg, not_in_dagster=str(error))

    def warning(self, msg: str) -> None:
        try:
            self._inner.warning(msg)
        except Exception as error:  # noqa: BLE001 - each storage has errors of its own
            _log.warning(msg, not_in_dagster=str(error))
