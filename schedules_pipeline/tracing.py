"""Traces of changes, for OpenTelemetry: from a notification over the commit to what partners fetched.

Off by default: then nothing of OpenTelemetry is imported, and each call returns at once. A trace is of one notification
of a queue. Its id, and those of the spans to which other processes add, are computed from the id of the message, which
every version keeps among its causes. So processes tell each other nothing about traces (docs/adr/0041).

Spans are made when they have ended. They hold ids, names of partners and counts, never keys, addresses or titles.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from random import getrandbits
from time import time_ns
from typing import NamedTuple, Protocol

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.errors import ConfigurationError

_TRACED = frozenset({Origin.SCHEDULE, Origin.CATALOGUE})
_STAGED_TRACES = 10
"""Of a batch with more events than this, only the first traces show its stages; the others link to the first."""

FAILED = "failed"

Attributes = Mapping[str, str | int]


class SpanId(NamedTuple):
    """A span of a trace. As in OpenTelemetry, 128 and 64 bits."""

    trace: int
    span: int


@dataclass(frozen=True, slots=True)
class Span:
    """A span that has ended; times are nanoseconds since 1970. ``parent``: None for the root. ``error``: "" if it
    succeeded.
    """

    name: str
    id: SpanId
    parent: SpanId | None
    began: int
    ended: int
    attributes: Attributes
    links: Sequence[SpanId] = ()
    error: str = ""


class SpanSender(Protocol):
    def samples(self, trace: int) -> bool:
        """Whether spans of this trace are sent. Every process gives the same answer."""

    def send(self, span: Span) -> None:
        """Never blocks and never raises for a collector that does not answer."""


class _Current:
    """The sender of this process; None while traces are off."""

    sender: SpanSender | None = None


def configure_traces(process: str, *, is_on: bool) -> None:
    """Send the spans of this process to the collector that the variables ``OTEL_…`` name.

    ``process``: the kind of this process. Raises :class:`ConfigurationError` without the packages of the extra
    ``traces``.
    """
    if not is_on or _Current.sender is not None:
        return
    try:
        from schedules_pipeline.opentelemetry_spans import OpenTelemetrySpans  # noqa: PLC0415 - only if on
    except ImportError as error:
        raise ConfigurationError(
            f"traces need the extra `traces` of the package, or unset SCHEDULES_TRACES ({error})"
        ) from None
    send_spans_to(OpenTelemetrySpans.from_environment(process))


def send_spans_to(sender: SpanSender | None) -> None:
    """``sender``: None to switch traces off."""
    _Current.sender = sender


def is_on() -> bool:
    return _Current.sender is not None


@lru_cache(maxsize=4_096)
def root_of(event_id: str) -> SpanId:
    """The root span of the trace of an event: the beginning of the SHA-256 of its id."""
    digest = sha256(event_id.encode()).digest()
    return SpanId(int.from_bytes(digest[:16]), int.from_bytes(digest[16:24]))


def trace_id(cause: Cause) -> str | None:
    """The id of the trace of a cause, in the form that collectors show; None if the cause is no notification."""
    return f"{root_of(cause.event_id).trace:032x}" if cause.origin in _TRACED else None


def nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1_000


def ingested(causes: Iterable[Cause], received: int, upstream: Mapping[str, SpanId]) -> None:
    """Notifications were stored as marks. ``upstream``: by message id, the span in which it was sent, if known."""
    now = time_ns()
    for event_id, cause in {cause.event_id: cause for cause in causes}.items():
        root = root_of(event_id)
        attributes = _attributes(event_id=event_id, origin=cause.origin.value, subject=cause.subject)
        began = min(nanoseconds(cause.notified_at), received)
        links = [upstream[event_id]] if event_id in upstream else ()
        _send(Span("notification", root, None, began, now, attributes, links), cause)
        _send(Span("ingest", _new(root), root, received, now, attributes), cause)


class BuiltSchedule(NamedTuple):
    """``outcome``: of the build, or :data:`FAILED`. ``seq``: of a published version, else 0."""

    key: ScheduleKey
    causes: Sequence[Cause]
    outcome: str
    seq: int = 0


def built(
    schedules: Sequence[BuiltSchedule], began: int, stages: Sequence[tuple[str, int]], error: str = ""
) -> None:
    """A batch has ended: a span in the trace of each event that caused it, with its stages and schedules.

    ``stages``: the end of each, in order. ``error``: the kind of the error that ended the batch.
    """
    now = time_ns()
    by_event: dict[str, list[tuple[Cause, BuiltSchedule]]] = defaultdict(list)
    for schedule in schedules:
        for cause in schedule.causes:
            by_event[cause.event_id].append((cause, schedule))
    first: SpanId | None = None
    for number, (event_id, caused) in enumerate(by_event.items()):
        root, cause = root_of(event_id), caused[0][0]
        build = _new(root)
        attributes = _attributes(caused=len(caused), batch=len(schedules))
        has_stages = number < _STAGED_TRACES
        links = [] if has_stages or first is None else [first]
        _send(Span("build", build, root, began, now, attributes, links, error), cause)
        first = first or build
        stored_in, stored_from = _send_stages(cause, build, began, stages if has_stages else ())
        for _, each in caused:
            _send_schedule(each, cause, stored_in, (stored_from, now))


def _send_stages(
    cause: Cause, build: SpanId, began: int, stages: Sequence[tuple[str, int]]
) -> tuple[SpanId, int]:
    """Returns the span of the last stage, which stores the documents, and its begin; the build itself without stages.

    A viewer shows what is below a span before its next neighbour, so what follows a version must not stand before the
    stages that came first.
    """
    last, start = (build, began), began
    for name, ended in stages:
        last = (_new(build), start)
        _send(Span(name, last[0], build, start, ended, {}), cause)
        start = ended
    return last


def _send_schedule(schedule: BuiltSchedule, cause: Cause, above: SpanId, times: tuple[int, int]) -> None:
    """It links to the traces of the other events that caused the same build."""
    key, causes, outcome, seq = schedule
    others = {other.event_id: other for other in causes if other.origin in _TRACED}
    links = [root_of(event_id) for event_id in others if event_id != cause.event_id]
    attributes = _attributes(
        schedule=str(key), outcome=outcome, seq=seq, milliseconds_after=_milliseconds_after(cause, times[1])
    )
    span = _version(cause.event_id, key, seq) if seq else _new(above)
    error = FAILED if outcome == FAILED else ""
    _send(Span("version", span, above, *times, attributes, links, error), cause)


def _milliseconds_after(cause: Cause, ended: int) -> int:
    """From the notification until the end of a span: what a viewer can filter by, unlike the distance of two spans."""
    return max(0, ended - nanoseconds(cause.notified_at)) // 1_000_000


def followed(
    name: str, change: Change, began: int, error: str = "", *, partner: str = "", status: int = 0
) -> None:
    """Something was done with a published version, and has ended now: a span below the version's, in each trace."""
    if _Current.sender is None:
        return
    now = time_ns()
    found = _attributes(schedule=str(change.key), seq=change.seq)
    found |= {"schedules.partner": partner} if partner else {}
    found |= {"http.response.status_code": status} if status else {}
    for cause in change.causes:
        version = _version(cause.event_id, change.key, change.seq)
        attributes = found | _attributes(milliseconds_after=_milliseconds_after(cause, now))
        _send(Span(name, _new(version), version, min(began, now), now, attributes, (), error), cause)


def _send(span: Span, cause: Cause) -> None:
    sender = _Current.sender
    if sender is not None and cause.origin in _TRACED and sender.samples(span.id.trace):
        sender.send(span)


def _attributes(**values: str | int) -> dict[str, str | int]:
    return {f"schedules.{name}": value for name, value in values.items()}


def _new(beside: SpanId) -> SpanId:
    """A span that only this process names."""
    return SpanId(beside.trace, getrandbits(64) or 1)


def _version(event_id: str, key: ScheduleKey, seq: int) -> SpanId:
    """The span of a version in the trace of an event, below which other processes add theirs."""
    digest = sha256(f"{event_id} {key} {seq}".encode()).digest()
    return SpanId(root_of(event_id).trace, int.from_bytes(digest[:8]))


_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")


def parse_traceparent(text: str) -> SpanId | None:
    """The span of a W3C ``traceparent``; None if the text is none."""
    found = _TRACEPARENT.fullmatch(text)
    span = SpanId(int(found[1], 16), int(found[2], 16)) if found else SpanId(0, 0)
    return span if all(span) else None
