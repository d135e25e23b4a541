"""Structured logs on standard error: JSON for machines, aligned and coloured lines at a terminal.

Only entrances log: sensors, runs, the command line, the services. Workflows return what happened. Every line about a
change has its ``event_id``, the id of the upstream message or of the operator's run; it links the notification, the
published version and its record. Dagster keeps standard error as the compute log of a run, ECS as the log of a task.
Logs of other libraries are left alone.
"""

import logging
import re
import sys
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import TextIO

import orjson
import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor, WrappedLogger

from schedules_pipeline.domain.causes import Cause
from schedules_pipeline.domain.printable import printable
from schedules_pipeline.maintenance.ports import PassReport

_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]*@")


class LogStyle(StrEnum):
    """``AUTO`` is ``CONSOLE`` at a terminal and ``JSON`` elsewhere."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


def configure_logs(style: LogStyle, level: str, stream: TextIO | None = None) -> None:
    """Configure the logs of this process. ``level``: a name such as ``INFO``. May be called again."""
    stream = stream or sys.stderr
    for_people = style is LogStyle.CONSOLE or (style is LogStyle.AUTO and stream.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *_rendering(for_people=for_people, colours=stream.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        # Writes a line and its end at once, because several processes write to one file.
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )


def _rendering(*, for_people: bool, colours: bool) -> list[Processor]:
    if for_people:
        # Here and below without local variables, which may hold secrets and take seconds to render.
        renderer = structlog.dev.ConsoleRenderer(
            colors=colours, exception_formatter=structlog.dev.plain_traceback
        )
        return [_hide_credentials, _show_control_characters, renderer]
    return [
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
        _hide_credentials,
        structlog.processors.JSONRenderer(lambda event, **_: orjson.dumps(event, default=str).decode()),
    ]


def causes_fields(causes: Iterable[Cause], cause_count: int, published_at: datetime) -> dict[str, object]:
    """Log fields for the causes of a version: the oldest in full, and the number of all."""
    oldest = next(iter(causes), None)
    if oldest is None:
        return {"causes": cause_count}
    return {
        "event_id": oldest.event_id,
        "origin": oldest.origin.value,
        "subject": oldest.subject,
        "causes": cause_count,
        "seconds": round((published_at - oldest.notified_at).total_seconds(), 3),
    }


def log_pass(report: PassReport) -> None:
    """Log the end of a full pass, with its counts."""
    log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    fields = {"seconds": report.seconds, "problem": report.problem, **report.counts}
    log.info("pass ended", **{"pass": report.name.value, **fields})


def _hide_credentials(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Errors of clients may quote addresses with passwords."""
    return {
        name: _CREDENTIALS.sub("***@", value) if isinstance(value, str) and "://" in value else value
        for name, value in event.items()
    }


def _show_control_characters(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Texts from upstream could otherwise send commands to the terminal."""
    return {name: printable(value) if isinstance(value, str) else value for name, value in event.items()}
