"""Structured logs: the fields of a line in both styles, and the secrets that it must not show."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
import structlog

from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.logs import LogStyle, causes_fields, configure_logs

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)


@pytest.fixture
def stream() -> Iterator[StringIO]:
    configuration = structlog.get_config()
    yield StringIO()
    structlog.configure(**configuration)


def _lines(stream: StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_of_json_is_an_event(stream: StringIO) -> None:
    """Each event is one line of JSON with its fields, level, time and context."""
    configure_logs(LogStyle.JSON, "INFO", stream)

    with structlog.contextvars.bound_contextvars(run_id="run 1"):
        structlog.get_logger().info("schedule published", event_id="m1", title="two\nlines")

    [line] = _lines(stream)
    assert line.pop("timestamp")
    assert line == {
        "event": "schedule published",
        "event_id": "m1",
        "level": "info",
        "run_id": "run 1",
        "title": "two\nlines",
    }


def test_a_line_is_one_write(stream: StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line and its end are one write, so that lines of several processes do not mix."""
    writes: list[str] = []
    monkeypatch.setattr(stream, "write", writes.append)
    configure_logs(LogStyle.JSON, "INFO", stream)

    structlog.get_logger().info("schedule published")

    assert len(writes) == 1
    assert writes[0].endswith("}\n")


def test_an_exception_is_within_its_line(stream: StringIO) -> None:
    """A traceback is part of the JSON line."""
    configure_logs(LogStyle.JSON, "INFO", stream)
    try:
        json.loads("torn")
    except ValueError:
        structlog.get_logger().exception("batch failed")

    [line] = _lines(stream)

    assert "JSONDecodeError" in json.dumps(line["exception"])


@pytest.mark.parametrize("style", [LogStyle.JSON, LogStyle.CONSOLE])
def test_no_credentials_are_logged(stream: StringIO, style: LogStyle) -> None:
    """Credentials in a quoted address are hidden."""
    configure_logs(style, "INFO", stream)

    structlog.get_logger().warning("trying again", error="rediss://reader:hunter2@store:6379/0 is down")

    assert "hunter2" not in stream.getvalue()
    assert "store:6379" in stream.getvalue()


@pytest.mark.parametrize("style", [LogStyle.JSON, LogStyle.CONSOLE])
def test_a_traceback_shows_no_local_variables(stream: StringIO, style: LogStyle) -> None:
    """They may hold a partner's key."""
    configure_logs(style, "INFO", stream)

    def fail(key: str) -> None:
        raise RuntimeError(f"a key of {len(key)} characters")

    try:
        fail("hunter2")
    except RuntimeError:
        structlog.get_logger().exception("defect")

    assert "a key of 7 characters" in stream.getvalue()
    assert 'hunter2"' not in stream.getvalue().replace('fail("hunter2")', "")
    assert "hunter2'" not in stream.getvalue()


def test_a_terminal_is_shown_no_control_characters(stream: StringIO) -> None:
    """An escape sequence in a title is printed literally."""
    configure_logs(LogStyle.CONSOLE, "INFO", stream)

    structlog.get_logger().info("schedule published", title="\x1b[2Jgone\nand more")

    assert "\x1b" not in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 1


def test_lines_below_the_level_are_left_out(stream: StringIO) -> None:
    """Events below the level are not logged."""
    configure_logs(LogStyle.JSON, "WARNING", stream)

    structlog.get_logger().info("schedule published")
    structlog.get_logger().warning("batch failed")

    assert [line["event"] for line in _lines(stream)] == ["batch failed"]


def test_what_is_no_terminal_gets_json(stream: StringIO) -> None:
    """With ``AUTO``, a log into a file is JSON."""
    configure_logs(LogStyle.AUTO, "INFO", stream)

    structlog.get_logger().info("schedule published")

    assert _lines(stream)[0]["event"] == "schedule published"


def test_a_version_is_logged_with_its_oldest_cause() -> None:
    """The line of a version has its event, the duration, and the number of causes."""
    cause = Cause("m1", Origin.CATALOGUE, "p0000001", _NOW - timedelta(milliseconds=1_250))

    assert causes_fields([cause, cause], 7, _NOW) == {
        "event_id": "m1",
        "origin": "catalogue",
        "subject": "p0000001",
        "causes": 7,
        "seconds": 1.25,
    }
    assert causes_fields([], 0, _NOW) == {"causes": 0}
