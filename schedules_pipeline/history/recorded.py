"""Recorded upstream histories: gzipped files of one JSON event a line, and the times of a replay.

A line is one of::

    {"at", "kind": "catalogue", "action": "UPDATE", "type", "pid", "document": {...}}
    {"at", "kind": "catalogue", "action": "DELETE", "type", "pid"}
    {"at", "kind": "schedule", "action": "PUT", "sid", "date", "document": {...}}
    {"at", "kind": "schedule", "action": "REMOVE", "sid", "date"}
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from pydantic_core import from_json

from schedules_pipeline.domain.identifiers import Pid, Sid, parse_date
from schedules_pipeline.domain.printable import shorten
from schedules_pipeline.errors import ContentError, InvalidDocument
from schedules_pipeline.outbound.whole_file import whole_file

DEFAULT_LONGEST_SECONDS = 60.0


class InvalidHistory(ContentError):
    """A recorded history cannot be read; the message names the file and the line."""


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """What an upstream wrote or removed at some time; one of the four classes below."""

    at: datetime


@dataclass(frozen=True, slots=True)
class CatalogueUpdated(HistoryEvent):
    document: dict[str, Any]
    type: str
    pid: str


@dataclass(frozen=True, slots=True)
class CatalogueDeleted(HistoryEvent):
    type: str
    pid: str


@dataclass(frozen=True, slots=True)
class SchedulePut(HistoryEvent):
    document: dict[str, Any]
    sid: str
    date: date


@dataclass(frozen=True, slots=True)
class ScheduleRemoved(HistoryEvent):
    sid: str
    date: date


def read_history(path: Path | str) -> Iterator[HistoryEvent]:
    """Yield the events of a recorded history in order.

    Raises :class:`InvalidHistory` at the first line that is not an event, if the file is not a whole gzip file, or if
    it holds no event. Earlier events have been yielded by then.
    """
    number = 0
    for number, line in read_lines(path):
        yield parse_line(path, number, line)
    if not number:
        raise InvalidHistory(f"{path}: no event is in it")


def read_lines(path: Path | str) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not empty, each with its number, from 1.

    Raises :class:`InvalidHistory` if the file is not a whole gzip file, and OSError if it cannot be read.
    """
    number = 0
    try:
        with gzip.open(path, "rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, line
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InvalidHistory(f"{path}, after line {number}: not a whole gzip file: {error}") from error


def write_history(path: Path | str, events: Iterable[HistoryEvent]) -> int:
    """Write a recorded history and return the number of events. Equal events give equal bytes.

    A file that exists is replaced when the history is whole; if that fails, it stays as it was.
    """
    number = 0
    with whole_file(Path(path)) as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as lines:
        for event in events:
            lines.write(render_line(event) + b"\n")
            number += 1
    return number


def delay_before(
    event: HistoryEvent, previous: HistoryEvent | None, speed: float, longest_seconds: float
) -> float:
    """Return the seconds to wait before ``event`` at ``speed`` times the recorded pace, at most ``longest_seconds``."""
    if speed <= 0:
        raise ValueError(f"the speed of a replay must be above 0, not {speed}")
    if previous is None:
        return 0.0
    recorded_seconds = (event.at - previous.at).total_seconds()
    return min(max(recorded_seconds / speed, 0.0), longest_seconds)


def paced(
    events: Iterable[HistoryEvent],
    speed: float,
    now: datetime,
    longest_seconds: float = DEFAULT_LONGEST_SECONDS,
) -> Iterator[tuple[datetime, HistoryEvent]]:
    """Yield each event with the instant at which it is due, in a replay that begins ``now``.

    Waiting for instants, rather than for durations, keeps a replay on time however long each event takes.
    """
    due_at, previous = now, None
    for event in events:
        due_at += timedelta(seconds=delay_before(event, previous, speed, longest_seconds))
        yield due_at, event
        previous = event


def render_line(event: HistoryEvent) -> bytes:
    """One line of a history, without the line end."""
    fields: dict[str, Any] = {"at": event.at}
    match event:
        case CatalogueUpdated(document=document, type=kind, pid=pid):
            fields |= {"kind": "catalogue", "action": "UPDATE", "type": kind, "pid": pid}
            fields["document"] = document
        case CatalogueDeleted(type=kind, pid=pid):
            fields |= {"kind": "catalogue", "action": "DELETE", "type": kind, "pid": pid}
        case SchedulePut(document=document, sid=sid, date=day):
            fields |= {"kind": "schedule", "action": "PUT", "sid": sid, "date": day, "document": document}
        case ScheduleRemoved(sid=sid, date=day):
            fields |= {"kind": "schedule", "action": "REMOVE", "sid": sid, "date": day}
    return orjson.dumps(fields)


def parse_line(path: Path | str, number: int, line: bytes) -> HistoryEvent:
    """Read one line. Raises :class:`InvalidHistory`, naming the file and the line, if it is not an event."""
    try:
        # This parser limits nesting to a depth that error messages can show; orjson's limit is too high.
        return _parse_event(from_json(line, allow_inf_nan=False))
    except KeyError as error:
        raise InvalidHistory(f"{path}, line {number}: the field {error} is missing") from error
    except (ValueError, OverflowError, InvalidDocument) as error:
        raise InvalidHistory(f"{path}, line {number}: {error}") from error


def _parse_event(fields: Any) -> HistoryEvent:
    if not isinstance(fields, dict):
        raise InvalidDocument("not a JSON object")
    at = _instant(fields["at"])
    match fields["kind"], fields["action"]:
        case "catalogue", "UPDATE":
            document = _document(fields, "pid", "type")
            return CatalogueUpdated(at, document, fields["type"], Pid(fields["pid"]))
        case "catalogue", "DELETE":
            return CatalogueDeleted(at, _text(fields, "type"), Pid(_text(fields, "pid")))
        case "schedule", "PUT":
            document = _document(fields, "sid", "date")
            return SchedulePut(at, document, Sid(fields["sid"]), parse_date(fields["date"]))
        case "schedule", "REMOVE":
            return ScheduleRemoved(at, Sid(_text(fields, "sid")), parse_date(_text(fields, "date")))
        case kind, action:
            raise InvalidDocument(f"no event has the kind {_shown(kind)} and the action {_shown(action)}")


def _document(fields: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Reject an event that names another document than it contains, which would be replayed under a wrong key."""
    document = fields["document"]
    if not isinstance(document, dict):
        raise InvalidDocument("the document is not a JSON object")
    for name in names:
        if _text(fields, name) != document.get(name):
            complaint = f"{name} is {_shown(fields[name])} but in the document {_shown(document.get(name))}"
            raise InvalidDocument(complaint)
    return document


def _text(fields: Mapping[str, Any], name: str) -> str:
    if not isinstance(text := fields[name], str):
        raise InvalidDocument(f"{name} is not a text")
    return text


def _instant(text: Any) -> datetime:
    at = datetime.fromisoformat(text) if isinstance(text, str) else None
    if at is None or at.tzinfo is None:
        raise ValueError(f"at is not an instant with a time zone: {_shown(text)}")
    return at.astimezone(UTC)


def _shown(value: Any) -> str:
    return shorten(repr(value))
