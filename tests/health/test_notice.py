"""The rendering of a notice for operators."""

from datetime import UTC, datetime

import orjson
import pytest

from schedules_pipeline.health.condition import ConditionName, Severity
from schedules_pipeline.health.incidents import Notice, Phase
from schedules_pipeline.health.notice import LONGEST_SUBJECT, render_notice, render_subject

_SINCE = datetime(2026, 3, 28, 12, tzinfo=UTC)


def _notice(summary: str = "2 messages in dead", phase: Phase = Phase.RAISED) -> Notice:
    at = datetime(2026, 3, 28, 12, 5, tzinfo=UTC)
    return Notice("n1", ConditionName.DEAD_LETTERS, phase, Severity.ERROR, summary, _SINCE, at, {"dead": 2})


def test_the_document_says_everything_and_where_to_read_on() -> None:
    """It holds name, phase, severity, summary, details, both instants, and the page of the runbook."""
    document = orjson.loads(render_notice(_notice(), "https://example.test/runbook.md"))

    assert document == {
        "id": "n1",
        "name": "dead-letters",
        "phase": "raised",
        "severity": "error",
        "summary": "2 messages in dead",
        "since": "2026-03-28T12:00:00+00:00",
        "at": "2026-03-28T12:05:00+00:00",
        "details": {"dead": 2},
        "runbook": "https://example.test/runbook.md#dead-letters",
    }


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        (Phase.RAISED, "ALARM dead-letters: 2 messages in dead"),
        (Phase.CLEARED, "ALL CLEAR dead-letters: 2 messages in dead"),
    ],
)
def test_the_subject_tells_alarm_from_all_clear(phase: Phase, expected: str) -> None:
    """It begins with the word that says which."""
    assert render_subject(_notice(phase=phase)) == expected


def test_the_subject_is_one_short_line_of_ascii() -> None:
    """SNS accepts the subject, for any summary."""
    subject = render_subject(_notice("zwölf\nSchedules\x1b\ud800 " + "x" * 200))

    assert subject.isascii()
    assert subject.isprintable()
    assert len(subject) == LONGEST_SUBJECT


def test_a_hostile_summary_stays_one_line_of_bounded_length() -> None:
    """No summary can break the document, add a line to it, or make it endless."""
    document = orjson.loads(render_notice(_notice("a\nb\ud800" + "x" * 100_000), "r"))

    assert document["summary"].startswith("a\\nb\\ud800xxx")
    assert len(document["summary"]) < 1_100
