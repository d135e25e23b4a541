"""``schedules-pipeline history``, ``diff`` and ``why``: the versions of a schedule and their causes."""

import json
from collections.abc import Iterator
from typing import Any

import click

from schedules_pipeline.cli.answer import Answer, Shown, answering, document_table, members, table
from schedules_pipeline.cli.arguments import not_found, take_key, take_only_key, take_seqs
from schedules_pipeline.cli.session import Session
from schedules_pipeline.cli.wording import counted, duration
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.explain_version import Comparison, Explanation
from schedules_pipeline.tracing import trace_id

_SHOWN_CHARACTERS = 120


@click.command("history")
@click.argument("words", nargs=-1, metavar="SID DATE")
@answering
def history(session: Session, words: tuple[str, ...]) -> Answer:
    """List the published versions of a schedule, newest first, each with its causes."""
    key = take_only_key(words)
    versions = session.pipeline.store.versions.versions(key)
    if not versions:
        raise not_found(key, session.pipeline.store.feed.heads())
    return Answer(
        {"schedule": str(key), "versions": [_change_fields(version) for version in versions]},
        [
            table(
                ["version>", "published", "after>", "broadcasts>", "bytes>", "caused by"],
                [_history_row(session, version) for version in versions],
                title=f"{key}: the published versions, and their time since the first notification",
            )
        ],
    )


def _history_row(session: Session, version: Change) -> list[object]:
    seconds = version.seconds_from_notification
    return [
        version.seq,
        session.local(version.published_at),
        "" if seconds is None else duration(seconds),
        "removed" if version.is_removal else version.broadcasts,
        f"{version.content_bytes:,}",
        version.why or "unknown",
    ]


@click.command("diff")
@click.argument("words", nargs=-1, metavar="SID DATE [SEQ [SEQ]]")
@answering
def diff(session: Session, words: tuple[str, ...]) -> Answer:
    """Show the differences between two versions of a schedule, field by field.

    Without a version, compare the latest with the one before it. With one, compare it with the one before it. With two,
    compare the first with the second.
    """
    key, seqs = _parse(session, words, most=2)
    before, after = (None, *seqs) if len(seqs) == 1 else seqs or (None, None)
    comparison = session.pipeline.explainer.compare(key, after, before)
    return Answer(
        {"schedule": str(key), **_comparison_fields(comparison)}, _comparison_shown(key, comparison)
    )


@click.command("why")
@click.argument("words", nargs=-1, metavar="SID DATE [SEQ]")
@answering
def why(session: Session, words: tuple[str, ...]) -> Answer:
    """Show which notifications and changed fields caused a version, how it differs from the one before, and which
    other schedules the same notifications touched.
    """
    key, seqs = _parse(session, words, most=1)
    explanation = session.pipeline.explainer.explain(key, seqs[0] if seqs else None)
    return Answer(_why_fields(session, explanation), _why_shown(session, explanation))


def _parse(session: Session, words: tuple[str, ...], most: int) -> tuple[ScheduleKey, list[int]]:
    """A published schedule, and at most ``most`` of its sequence numbers."""
    key, rest = take_key(words)
    seqs = take_seqs(rest, most)
    if not session.pipeline.store.versions.versions(key):
        raise not_found(key, session.pipeline.store.feed.heads())
    return key, seqs


def _why_fields(session: Session, explanation: Explanation) -> dict[str, object]:
    change, comparison = explanation.change, explanation.comparison
    return {
        **_change_fields(change),
        "causes": [{**_cause_fields(cause), "queue": _queue(session, cause)} for cause in change.causes],
        "comparison": None if comparison is None else _comparison_fields(comparison),
        "quarantined": [members(each, "broadcast_pid", "reason") for each in explanation.source.quarantined],
        "mended": list(explanation.source.mended),
        "touched": [_change_fields(other) for other in explanation.touched.versions],
        "search_stopped_at": explanation.touched.stopped_at,
        "feed_goes_back": explanation.touched.goes_back,
    }


def _why_shown(session: Session, explanation: Explanation) -> Iterator[Shown]:
    change = explanation.change
    seconds = change.seconds_from_notification
    after = "" if seconds is None else f", {duration(seconds)} after its first notification"
    what = "removed" if change.is_removal else "published"
    yield f"{change.key} version {change.seq}: {what} {session.local(change.published_at)}{after}"
    yield table(
        ["what changed", "fields", "sent by", "at", "event"],
        [
            [
                f"{cause.origin} {cause.subject}",
                ", ".join(cause.changed) or _without_fields(cause),
                _sender(session, cause),
                session.local(cause.notified_at),
                cause.event_id,
            ]
            for cause in change.causes
        ],
    )
    if session.settings.traces:
        yield from (
            f"trace of {cause.event_id}: {found}" for cause in change.causes if (found := trace_id(cause))
        )
    if change.cause_count > len(change.causes):
        yield f"and {change.cause_count - len(change.causes)} more causes, of which only the number is kept"
    for unusable in explanation.source.quarantined:
        yield f"quarantined: {unusable.reason}"
    for sentence in explanation.source.mended:
        yield f"mended: {sentence}"
    if explanation.comparison is None:
        yield "the differences from the version before are unknown: a document has expired"
    else:
        yield from _comparison_shown(change.key, explanation.comparison)
    yield from _touched_shown(session, explanation)


def _touched_shown(session: Session, explanation: Explanation) -> Iterator[Shown]:
    touched = explanation.touched
    if not touched.goes_back:
        yield "other touched schedules are unknown: the change feed no longer goes back that far"
        return
    events = "event" if explanation.change.cause_count == 1 else "events"
    what = counted(len(touched.versions), "other version") if touched.versions else "nothing else"
    yield f"the same {events} touched {what}"
    if touched.versions:
        rows = [_change_fields(other) for other in touched.versions]
        yield document_table(session, rows, "schedule", "seq", "published_at")
    if touched.stopped_at is not None:
        yield f"the search stopped at {session.local(touched.stopped_at)}: the feed holds too many rows"


def _queue(session: Session, cause: Cause) -> str | None:
    """The queue that brought the cause; None if no queue did."""
    queues = {
        Origin.SCHEDULE: session.settings.schedule_queue,
        Origin.CATALOGUE: session.settings.catalogue_queue,
    }
    return queues.get(cause.origin)


def _sender(session: Session, cause: Cause) -> str:
    by_hand = cause.origin is Origin.OPERATOR
    return _queue(session, cause) or ("an operator" if by_hand else "the pipeline")


def _without_fields(cause: Cause) -> str:
    return "(its document)" if cause.origin is Origin.SCHEDULE else "(not known)"


def _change_fields(change: Change) -> dict[str, Any]:
    return {
        "schedule": str(change.key),
        **members(change, "seq", "published_at", "is_removal", "etag", "broadcasts", "content_bytes"),
        **members(change, "source_changed", "seconds_from_notification"),
        "causes": [_cause_fields(cause) for cause in change.causes],
        "cause_count": change.cause_count,
    }


def _cause_fields(cause: Cause) -> dict[str, Any]:
    fields = members(cause, "event_id", "origin", "subject", "notified_at", "changed")
    return {**fields, "trace_id": trace_id(cause)}


def _comparison_fields(comparison: Comparison) -> dict[str, Any]:
    return {
        "before": comparison.before,
        "after": comparison.after,
        "differences": [
            {"broadcast_pid": d.broadcast_pid, "field": d.field, "before": d.theirs, "after": d.ours}
            for d in comparison.differences
        ],
    }


def _comparison_shown(key: ScheduleKey, comparison: Comparison) -> Iterator[Shown]:
    before = f"version {comparison.before}" if comparison.before else "nothing"
    found = counted(len(comparison.differences), "difference")
    yield f"{key}: from {before} to version {comparison.after}: {found}"
    if comparison.differences:
        rows = [
            [d.broadcast_pid, d.field, _shorten(d.theirs), _shorten(d.ours)] for d in comparison.differences
        ]
        yield table(["broadcast", "field", "before", "after"], rows)


def _shorten(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"
