"""Versions, causes and comparisons as JSON and as text, for several commands."""

import json
from collections.abc import Iterator
from typing import Any

from schedules_pipeline.cli.answer import Shown
from schedules_pipeline.cli.printing import members, table
from schedules_pipeline.cli.wording import counted
from schedules_pipeline.domain.causes import Cause
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.explain_version import Comparison

_SHOWN_CHARACTERS = 120


def change_fields(change: Change) -> dict[str, Any]:
    return {
        "schedule": str(change.key),
        **members(change, "seq", "published_at", "is_removal", "etag", "broadcasts", "content_bytes"),
        **members(change, "source_changed", "seconds_from_notification"),
        "causes": [cause_fields(cause) for cause in change.causes],
        "cause_count": change.cause_count,
    }


def cause_fields(cause: Cause) -> dict[str, Any]:
    return members(cause, "event_id", "origin", "subject", "notified_at", "changed")


def comparison_fields(comparison: Comparison) -> dict[str, Any]:
    return {
        "before": comparison.before,
        "after": comparison.after,
        "differences": [
            {"broadcast_pid": d.broadcast_pid, "field": d.field, "before": d.theirs, "after": d.ours}
            for d in comparison.differences
        ],
    }


def comparison_shown(key: ScheduleKey, comparison: Comparison) -> Iterator[Shown]:
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
