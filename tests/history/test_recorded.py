"""Recorded histories: reading, rejection with the place of the fault, and the pace of a replay."""

import gzip
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from schedules_pipeline.history.recorded import (
    CatalogueDeleted,
    CatalogueUpdated,
    HistoryEvent,
    InvalidHistory,
    SchedulePut,
    ScheduleRemoved,
    delay_before,
    paced,
    read_history,
    write_history,
)

_AT = datetime(2026, 11, 2, 9, tzinfo=UTC)
_ITEM = {"pid": "b00000001", "type": "brand", "title": "Quiet Viaduct"}
_CATALOGUE = {
    "at": "2026-11-02T09:00:00Z",
    "kind": "catalogue",
    "action": "UPDATE",
    "type": "brand",
    "pid": "b00000001",
    "document": _ITEM,
}
_SOURCE = {"sid": "alder_one_north", "date": "2026-11-02", "broadcasts": []}
_SCHEDULE = {
    "at": "2026-11-02T09:05:00Z",
    "kind": "schedule",
    "action": "PUT",
    "sid": "alder_one_north",
    "date": "2026-11-02",
    "document": _SOURCE,
}

_DELETE = {name: value for name, value in _CATALOGUE.items() if name != "document"} | {"action": "DELETE"}
_REMOVE = {name: value for name, value in _SCHEDULE.items() if name != "document"} | {"action": "REMOVE"}


def _write(directory: Path, *lines: bytes) -> Path:
    path = directory / "history.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(line + b"\n" for line in lines)))
    return path


def _event(seconds: float) -> HistoryEvent:
    return HistoryEvent(_AT + timedelta(seconds=seconds))


def test_history_is_read_in_its_order(tmp_path: Path) -> None:
    """Each line becomes the event that it describes."""
    path = _write(tmp_path, *map(orjson.dumps, (_CATALOGUE, _SCHEDULE, _REMOVE, _DELETE)))
    later, day = _AT + timedelta(minutes=5), date(2026, 11, 2)

    events = list(read_history(path))

    assert events == [
        CatalogueUpdated(_AT, _ITEM, "brand", "b00000001"),
        SchedulePut(later, _SOURCE, "alder_one_north", day),
        ScheduleRemoved(later, "alder_one_north", day),
        CatalogueDeleted(_AT, "brand", "b00000001"),
    ]


def test_history_is_written_as_it_was_read(tmp_path: Path) -> None:
    """Events of every kind are the same after writing and reading."""
    events = list(
        read_history(_write(tmp_path, *map(orjson.dumps, (_CATALOGUE, _SCHEDULE, _REMOVE, _DELETE))))
    )

    number = write_history(tmp_path / "again.jsonl.gz", events)

    assert number == 4
    assert list(read_history(tmp_path / "again.jsonl.gz")) == events


def test_history_skips_empty_lines(tmp_path: Path) -> None:
    """An empty line is neither an event nor an error."""
    path = _write(tmp_path, b"", orjson.dumps(_SCHEDULE), b"  ")

    events = list(read_history(path))

    assert len(events) == 1


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"kind": "weather"}, "no event has the kind 'weather' and the action 'PUT'"),
        ({"action": "UPDATE"}, "no event has the kind 'schedule' and the action 'UPDATE'"),
        ({"at": "2026-11-02T09:05:00"}, "at is not an instant with a time zone: '2026-11-02T09:05:00'"),
        ({"at": 5}, "at is not an instant with a time zone: 5"),
        ({"at": "today"}, "'today'"),
        ({"document": None}, "the document is not a JSON object"),
        ({"sid": None}, "sid is not a text"),
        ({"sid": "alder_two"}, "sid is 'alder_two' but in the document 'alder_one_north'"),
        ({"sid": "Alder", "document": {"sid": "Alder", "date": "2026-11-02"}}, "not a service id: 'Alder'"),
        ({"date": "20261102", "document": _SOURCE | {"date": "20261102"}}, "not a date: '20261102'"),
    ],
)
def test_history_names_the_line_that_is_no_event(
    tmp_path: Path, changed: dict[str, Any], complaint: str
) -> None:
    """The error names the file, the line number, and the reason."""
    path = _write(tmp_path, orjson.dumps(_CATALOGUE), b"", orjson.dumps(_SCHEDULE | changed))

    with pytest.raises(InvalidHistory) as caught:
        list(read_history(path))

    assert str(caught.value).startswith(f"{path}, line 3: ")
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        (_REMOVE | {"sid": "Alder"}, "not a service id: 'Alder'"),
        (_REMOVE | {"date": 5}, "date is not a text"),
        (_DELETE | {"pid": None}, "pid is not a text"),
        (_DELETE | {"pid": "aeiou"}, "'aeiou'"),
        (_DELETE | {"action": "REMOVE"}, "no event has the kind 'catalogue' and the action 'REMOVE'"),
    ],
)
def test_history_names_the_line_of_an_unusable_removal(
    tmp_path: Path, fields: dict[str, Any], complaint: str
) -> None:
    """A removal names a schedule or an item."""
    path = _write(tmp_path, orjson.dumps(fields))

    with pytest.raises(InvalidHistory, match="line 1: ") as caught:
        list(read_history(path))

    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("event", "field"),
    [(event, name) for event in (_CATALOGUE, _DELETE, _SCHEDULE, _REMOVE) for name in event],
)
def test_history_names_the_field_that_is_missing(tmp_path: Path, event: dict[str, Any], field: str) -> None:
    """Every field of an event is required."""
    line = orjson.dumps({name: value for name, value in event.items() if name != field})
    path = _write(tmp_path, line)

    with pytest.raises(InvalidHistory, match=rf"line 1: the field '{field}' is missing"):
        list(read_history(path))


@pytest.mark.parametrize("line", [b"{", b"[]", b"\xff", b"12"])
def test_history_rejects_a_line_that_is_no_object(tmp_path: Path, line: bytes) -> None:
    """A line that is not a JSON object is rejected with its number."""
    path = _write(tmp_path, line)

    with pytest.raises(InvalidHistory, match="line 1: "):
        list(read_history(path))


def test_history_yields_what_comes_before_a_bad_line(tmp_path: Path) -> None:
    """Events are read one by one, so events before a bad line are yielded."""
    events = read_history(_write(tmp_path, orjson.dumps(_CATALOGUE), b"{"))

    first = next(events)

    assert first == CatalogueUpdated(_AT, _ITEM, "brand", "b00000001")
    with pytest.raises(InvalidHistory):
        next(events)


def test_history_that_is_cut_off_is_rejected(tmp_path: Path) -> None:
    """A file that ends within its compressed data is reported as such."""
    path = _write(tmp_path, *[orjson.dumps(_CATALOGUE | {"n": os.urandom(16).hex()}) for _ in range(50)])
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(InvalidHistory, match="not a whole gzip file"):
        list(read_history(path))


def test_history_that_is_not_compressed_is_rejected(tmp_path: Path) -> None:
    """A plain text file is reported as not gzipped."""
    path = tmp_path / "history.jsonl"
    path.write_bytes(orjson.dumps(_CATALOGUE))

    with pytest.raises(InvalidHistory, match="after line 0: not a whole gzip file"):
        list(read_history(path))


@pytest.mark.parametrize(
    ("seconds", "speed", "expected"),
    [
        (30, 1, 30),
        (30, 60, 0.5),
        (30, 0.5, 60),
        (3600, 1, 100),
        (3600, 60, 60),
        (0, 1, 0),
        (-5, 1, 0),
    ],
)
def test_delay_is_the_recorded_one_at_the_speed(seconds: float, speed: float, expected: float) -> None:
    """A delay is divided by the speed, and lies between 0 and the longest."""
    delay = delay_before(_event(seconds), _event(0), speed, longest_seconds=100)

    assert delay == expected


def test_the_first_event_has_no_delay() -> None:
    """The first event is due at once."""
    delay = delay_before(_event(500), None, speed=1, longest_seconds=100)

    assert delay == 0


@pytest.mark.parametrize("speed", [0, -1])
def test_delay_needs_a_positive_speed(speed: float) -> None:
    """A speed of 0 or below is rejected at the first event."""
    with pytest.raises(ValueError, match="must be above 0"):
        delay_before(_event(0), None, speed, longest_seconds=100)


def test_paced_events_are_due_one_after_the_other() -> None:
    """Delays add up from the start of the replay."""
    now = datetime(2030, 1, 1, tzinfo=UTC)
    events = [_event(0), _event(20), _event(5000), _event(5010)]

    due = [at - now for at, _ in paced(events, 10, now, longest_seconds=60)]

    assert due == [timedelta(seconds=seconds) for seconds in (0, 2, 62, 63)]


def test_paced_events_are_passed_on_in_order() -> None:
    """A replay leaves no event out and changes none."""
    events = [_event(0), _event(20), _event(10)]

    passed = [event for _, event in paced(events, 1, _AT)]

    assert passed == events


@pytest.mark.skipif("SCHEDULES_RECORDED_HISTORY" not in os.environ, reason="names no recorded history")
def test_recorded_history_is_read_to_its_end() -> None:
    """The recorded history has events of both kinds in the order of their times."""
    events = list(read_history(os.environ["SCHEDULES_RECORDED_HISTORY"]))

    instants = [event.at for event in events]

    assert instants == sorted(instants)
    assert {type(event) for event in events} >= {CatalogueUpdated, SchedulePut}
