"""Structured logs: one line an event, JSON where a machine reads them, aligned and coloured at a terminal.

The shell logs (sensors, runs, the command line, the services); workflows and the domain return what happened and
log nothing. Every line about a change carries its ``event_id``, which is the id of the upstream's
message, or of the run that an operator started: from the notification, by the published version, to its record.

Lines go to standard error, which Dagster keeps as the compute log of a run and ECS as the log of a task. What other
libraries log is left alone.
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
from structlog.typing import EventDict, Processor, WrappedLogger

from schedules_pipeline.domain.causes import Cause
from schedules_pipeline.domain.printable import printable
from schedules_pipeline.maintenance.ports.passes import PassReport

_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]*@")


class LogStyle(StrEnum):
    """``AUTO`` is for people at a terminal and JSON everywhere else."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


def configure_logs(style: LogStyle, level: str, stream: TextIO | None = None) -> None:
    """Say how this process logs; may be called again. ``level``: a name such as ``INFO``."""
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
        # A line and its end in one write: several processes write to one file.
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )


def _rendering(*, for_people: bool, colours: bool) -> list[Processor]:
    if for_people:
        return [_hide_credentials, _show_control_characters, structlog.dev.ConsoleRenderer(colors=colours)]
    return [
        structlog.processors.dict_tracebacks,
        _hide_credentials,
        structlog.processors.JSONRenderer(lambda event, **_: orjson.dumps(event, default=str).decode()),
    ]


def causes_fields(causes: Iterable[Cause], cause_count: int, published_at: datetime) -> dict[str, object]:
    """What a line about a version says of its causes: the oldest in full, and how many there were."""
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
    """One line for a full pass that has ended, with what it found and did."""
    log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    fields = {"seconds": report.seconds, "problem": report.problem, **report.counts}
    log.info("pass ended", **{"pass": report.name.value, **fields})


def _hide_credentials(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Errors of clients may quote an address; what stands before its host is nobody's business."""
    return {
        name: _CREDENTIALS.sub("***@", value) if isinstance(value, str) else value
        for name, value in event.items()
    }


def _show_control_characters(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Texts come from outside, and a terminal obeys what it is shown."""
    return {name: printable(value) if isinstance(value, str) else value for name, value in event.items()}
