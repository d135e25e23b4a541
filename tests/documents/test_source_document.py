"""Source schedule documents: the values read from them, and every reason to reject one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from documents.source_documents import (
    KEY,
    Document,
    a_broadcast,
    a_document,
    complaint_about,
    slots_of,
    without,
)
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.documents.source_document import MAXIMUM_BROADCASTS, parse_source_document
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey
from schedules_pipeline.domain.schedule import Slot
from schedules_pipeline.errors import InvalidDocument

_SECOND_DAY = datetime(1, 1, 2, tzinfo=UTC)


def test_source_document_is_read() -> None:
    """Every field of a broadcast is read, with its instants in UTC."""
    content = orjson.dumps(a_document(a_broadcast(is_signed=True)))

    schedule = parse_source_document(KEY, content).schedule

    assert schedule.key == KEY
    assert schedule.published_at == datetime(2026, 1, 10, 9, 30, tzinfo=UTC)
    assert schedule.slots == (
        Slot(
            broadcast_pid=Pid("p0000001"),
            version_pid=Pid("v0000001"),
            start=datetime(2026, 1, 15, 6, tzinfo=UTC),
            end=datetime(2026, 1, 15, 6, 30, tzinfo=UTC),
            duration_seconds=1800,
            is_repeat=True,
            is_blanked=False,
            is_signed=True,
            is_audio_described=False,
            episode_pid=Pid("b0000001"),
        ),
    )


def test_source_document_needs_only_pid_and_times() -> None:
    """A broadcast of which only the pid and the times are given shows no episode and has no flag set."""
    times = {"start": "2026-01-15T06:00:00Z", "end": "2026-01-15T06:30:00Z"}

    (broadcast,) = slots_of(a_document({"broadcast_pid": "p0000001", **times}))

    assert (broadcast.episode_pid, broadcast.version_pid) == (None, None)
    assert not any(
        (broadcast.is_repeat, broadcast.is_blanked, broadcast.is_signed, broadcast.is_audio_described)
    )


def test_source_document_without_broadcasts_is_read() -> None:
    """An empty list of broadcasts is a valid document."""
    broadcasts = slots_of(a_document())

    assert broadcasts == ()


def test_source_document_ignores_unknown_fields() -> None:
    """Fields that we do not know change nothing, in the document and in a broadcast."""
    known = a_document(a_broadcast())

    broadcasts = slots_of(a_document(a_broadcast(region="north", extra={"a": [1]}), revision=7))

    assert broadcasts == slots_of(known)


@pytest.mark.parametrize("pid", [None, ""])
def test_source_document_takes_an_empty_pid_for_none(pid: str | None) -> None:
    """A null or empty episode or version pid names no programme."""
    (broadcast,) = slots_of(a_document(a_broadcast(episode_pid=pid, version_pid=pid)))

    assert (broadcast.episode_pid, broadcast.version_pid) == (None, None)


def test_blanked_broadcast_loses_its_pids() -> None:
    """A blanked broadcast keeps its slot and names neither episode nor version."""
    (broadcast,) = slots_of(a_document(a_broadcast(is_blanked=True)))

    assert (broadcast.broadcast_pid, broadcast.is_blanked) == ("p0000001", True)
    assert (broadcast.episode_pid, broadcast.version_pid) == (None, None)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        pytest.param("2026-01-15T06:00:00Z", "2026-01-15T06:00:00", id="UTC"),
        pytest.param("2026-01-15T06:00:00+00:00", "2026-01-15T06:00:00", id="no offset from UTC"),
        pytest.param("2026-01-15T07:00:00+01:00", "2026-01-15T06:00:00", id="east"),
        pytest.param("2026-01-15T00:30:00-05:30", "2026-01-15T06:00:00", id="west"),
        pytest.param("2026-01-16T01:00:00+14:00", "2026-01-15T11:00:00", id="another date"),
        pytest.param("2026-01-15T06:00:00.000Z", "2026-01-15T06:00:00", id="fraction of nought"),
        pytest.param("2026-01-15T06:00:00.999999Z", "2026-01-15T06:00:00", id="fraction cut"),
        pytest.param("2026-01-15T06:00Z", "2026-01-15T06:00:00", id="no seconds"),
    ],
)
def test_source_document_reads_instants_as_whole_seconds_in_utc(text: str, instant: str) -> None:
    """An instant with any offset is read, and cut to the second."""
    (broadcast,) = slots_of(a_document(a_broadcast(start=text, end="2026-01-15T23:00:00Z")))

    assert broadcast.start.isoformat() == f"{instant}+00:00"


@given(
    st.timedeltas(timedelta(0), timedelta(days=3_600_000)).map(lambda after: _SECOND_DAY + after),
    st.integers(-23 * 60, 23 * 60),
)
def test_source_document_reads_the_same_instant_at_any_offset(instant: datetime, minutes: int) -> None:
    """The offset in which an instant is written is of no consequence."""
    local = instant.astimezone(timezone(timedelta(minutes=minutes)))

    schedule = parse_source_document(KEY, orjson.dumps(a_document(published_at=local.isoformat()))).schedule

    assert schedule.published_at == instant.replace(microsecond=0)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9_999)), unique_by=lambda slot: slot[1]), st.data()
)
def test_source_document_is_read_in_order_of_start_and_pid(
    slots: list[tuple[int, int]], data: st.DataObject
) -> None:
    """From a list in any order, broadcasts are read by start, and by pid if they start together."""
    made = [a_broadcast(start=f"2026-01-15T0{hour}:00:00Z", broadcast_pid=f"p{n:07}") for hour, n in slots]
    shuffled = data.draw(st.permutations(made))

    broadcasts = slots_of(a_document(*shuffled))

    assert [(b.start.hour, int(b.broadcast_pid[1:])) for b in broadcasts] == sorted(slots)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(b"", "document: Invalid JSON", id="no bytes"),
        pytest.param(b"{", "document: Invalid JSON", id="cut off"),
        pytest.param(b"<html>", "document: Invalid JSON", id="another format"),
        pytest.param(b'{"sid": "\xff"}', "document: Invalid JSON", id="not UTF-8"),
        pytest.param(b"[" * 5_000, "document: Invalid JSON", id="nested without end"),
        pytest.param(b"null", "document: Input should be an object", id="null"),
        pytest.param(b"[]", "document: Input should be an object", id="list"),
        pytest.param(b'"text"', "document: Input should be an object", id="text"),
        pytest.param(b"{}", "sid: Field required; date: Field required; published_at", id="empty object"),
    ],
)
def test_source_document_rejects_content(content: bytes, complaint: str) -> None:
    """Content that is not a JSON object with our fields is refused, saying where it is wrong."""
    reason = complaint_about(content)

    assert reason.startswith(f"schedule alder_one_north/2026-01-15: {complaint}")


@pytest.mark.parametrize("field", ["sid", "date", "published_at", "broadcasts"])
def test_source_document_rejects_a_missing_field(field: str) -> None:
    """Each field of the document is required."""
    document = without(a_document(a_broadcast()), field)

    reason = complaint_about(orjson.dumps(document))

    assert reason == f"schedule alder_one_north/2026-01-15: {field}: Field required"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        pytest.param({"sid": 7}, "sid: Input should be a valid string", id="sid a number"),
        pytest.param({"sid": None}, "sid: Input should be a valid string", id="sid null"),
        pytest.param({"date": 20260115}, "date: Input should be a valid string", id="date a number"),
        pytest.param(
            {"published_at": "soon"}, "published_at: Input should be a valid datetime", id="no instant"
        ),
        pytest.param(
            {"published_at": 1768464000}, "published_at: Input should be a valid", id="instant a number"
        ),
        pytest.param(
            {"published_at": None}, "published_at: Input should be a valid datetime", id="instant null"
        ),
        pytest.param(
            {"published_at": "2026-01-10T09:30:00"},
            "published_at: Input should have timezone",
            id="naive instant",
        ),
        pytest.param(
            {"published_at": "2026-01-10"}, "published_at: Input should have timezone", id="only a date"
        ),
        pytest.param(
            {"published_at": "0001-01-01T00:00:00+14:00"},
            "published_at: Value error, beyond",
            id="before year 1",
        ),
        pytest.param(
            {"published_at": "9999-12-31T23:00:00-14:00"},
            "published_at: Value error, beyond",
            id="after year 9999",
        ),
        pytest.param({"broadcasts": None}, "broadcasts: Input should be a valid array", id="broadcasts null"),
        pytest.param(
            {"broadcasts": {}}, "broadcasts: Input should be a valid array", id="broadcasts an object"
        ),
    ],
)
def test_source_document_rejects(changes: Document, complaint: str) -> None:
    """A field of the document with a wrong type or value is refused by name."""
    reason = complaint_about(orjson.dumps(a_document(a_broadcast(), **changes)))

    assert reason.startswith(f"schedule alder_one_north/2026-01-15: {complaint}")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param({"sid": "alder_one_southern"}, "alder_one_southern/2026-01-15", id="another service"),
        pytest.param({"date": "2026-01-16"}, "alder_one_north/2026-01-16", id="another day"),
        pytest.param({"date": "20260115"}, "alder_one_north/20260115", id="same day in another form"),
        pytest.param({"sid": ""}, "/2026-01-15", id="no service"),
        pytest.param({"sid": "Alder One"}, "Alder One/2026-01-15", id="not a service id"),
    ],
)
def test_source_document_rejects_another_schedule(changes: Document, named: str) -> None:
    """A document that says that it is another schedule's than its key's is refused."""
    reason = complaint_about(orjson.dumps(a_document(a_broadcast(), **changes)))

    assert reason == f"schedule alder_one_north/2026-01-15: the document says that it is {named!r}"


def test_source_document_is_limited_in_length() -> None:
    """As many broadcasts as the limit are read, and one more is refused."""
    broadcasts = [a_broadcast(broadcast_pid=f"p{number:07}") for number in range(MAXIMUM_BROADCASTS + 1)]

    read = slots_of(a_document(*broadcasts[:-1]))
    reason = complaint_about(orjson.dumps(a_document(*broadcasts)))

    assert len(read) == MAXIMUM_BROADCASTS
    assert "broadcasts: List should have at most 2000 items" in reason


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(a_document(sid="x" * 10_000), id="sid"),
        pytest.param(a_document(date="x" * 10_000), id="date"),
        pytest.param(a_document(published_at="x" * 10_000), id="published_at"),
        pytest.param(a_document(broadcasts="x" * 10_000), id="broadcasts"),
        *[
            pytest.param(a_document(a_broadcast(**{field: "x" * 10_000})), id=field)
            for field in ("broadcast_pid", "episode_pid", "start", "end", "is_blanked")
        ],
    ],
)
def test_source_document_does_not_echo_long_values(document: Document) -> None:
    """A complaint is short, however long the value that it is about."""
    reason = complaint_about(orjson.dumps(document))

    assert len(reason) < 600
    assert "x" * 120 not in reason


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
_instants = st.datetimes().map(lambda instant: f"{instant.isoformat()}+14:00")
_damages: list[Callable[[Any], Document]] = [
    *[lambda value, name=name: a_document(a_broadcast(), **{name: value}) for name in a_document()],
    *[lambda value, name=name: a_document(a_broadcast(**{name: value})) for name in a_broadcast()],
]


@given(st.sampled_from(_damages), _json | _instants)
def test_source_document_is_read_or_rejected(damage: Callable[[Any], Document], value: Any) -> None:
    """With any value in any one field, the document is read, or rejected as invalid."""
    content = orjson.dumps(damage(value))

    try:
        outcome: object = parse_source_document(KEY, content).schedule.key
    except InvalidDocument as error:
        outcome = str(error).partition(":")[0]

    assert outcome in (KEY, f"schedule {KEY}")


@given(st.binary())
def test_source_document_rejects_bytes(content: bytes) -> None:
    """Bytes that happen not to be a document are refused as an invalid one."""
    reason = complaint_about(content)

    assert reason.startswith("schedule alder_one_north/2026-01-15: ")


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_rejected(text: str) -> None:
    """Also in a member that is ignored."""
    content = f'{{"sid":"alder","date":"2026-03-28","broadcasts":[],"more":{text}}}'.encode()

    with pytest.raises(InvalidDocument):
        parse_source_document(ScheduleKey.parse("alder/2026-03-28"), content)


def test_the_words_of_such_numbers_may_be_in_texts() -> None:
    """A word in a string is no number."""
    content = (
        b'{"sid":"alder","date":"2026-03-28","published_at":"2026-03-01T00:00:00Z","broadcasts":[],"a":"NaN"}'
    )

    assert parse_source_document(ScheduleKey.parse("alder/2026-03-28"), content).schedule.slots == ()
