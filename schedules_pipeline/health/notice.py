"""Renders a notice for operators: a JSON document, and one line for a subject.

The document holds ``id`` (the same for every delivery), ``name``, ``phase`` (``raised`` or ``cleared``), ``severity``,
``summary``, ``since``, ``at``, ``details``, and ``runbook``, the address of the alarm's page.
"""

import orjson

from schedules_pipeline.domain.printable import printable, shorten
from schedules_pipeline.health.incidents import Notice, Phase

LONGEST_SUBJECT = 100
"""The limit of SNS, in characters."""

_LONGEST_SUMMARY = 1_000


def render_notice(notice: Notice, runbook: str) -> bytes:
    """``runbook``: the address of the runbook, in which each alarm is a heading."""
    return orjson.dumps(
        {
            "id": notice.id,
            "name": notice.name.value,
            "phase": notice.phase.value,
            "severity": notice.severity.value,
            "summary": shorten(printable(notice.summary), _LONGEST_SUMMARY),
            "since": notice.since,
            "at": notice.at,
            "details": dict(notice.details),
            "runbook": f"{runbook}#{notice.name}",
        }
    )


def render_subject(notice: Notice) -> str:
    """One line of ASCII, at most :data:`LONGEST_SUBJECT` characters."""
    word = "ALARM" if notice.phase is Phase.RAISED else "ALL CLEAR"
    line = printable(f"{word} {notice.name}: {notice.summary}")
    return line.encode("ascii", "replace").decode()[:LONGEST_SUBJECT]
