"""Source schedule documents: what is read from them, and every way in which one is refused."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.documents.source_document import MAXIMUM_BROADCASTS, parse_source_document
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.schedule import Slot
from schedules_pipeline.errors import InvalidDocument

_KEY = ScheduleKey(Sid("alder_one_north"), date(2026, 1, 15))
_SECOND_DAY = datetime(1, 1, 2, tzinfo=UTC)
_Document = dict[str, Any]


def _broadcast(**changes: Any) -> _Document:
    return {
        "broadcast_pid": "p0000001",
        "episode_pid": "b0000001",
        "version_pid": "v0000001",
        "start": "2026-01-15T06:00:00Z",
        "end": "2026-01-15T06:30:00Z",
        "is_repeat": True,
        "is_blanked": False,
        "is_signed": False,
        "is_audio_described": False,
    } | changes


def _document(*broadcasts: _Document, **changes: Any) -> _Document:
    return {
        "sid": "alder_one_north",
        "date": "2026-01-15",
        "published_at": "2026-01-10T09:30:00Z",
        "broadcasts": list(broadcasts),
    } | changes


def _without(document: _Document, name: str) -> _Document:
    return {field: value for field, value in document.items() if field != name}


def _read(document: _Document) -> tuple[Slot, ...]:
    return parse_source_document(_KEY, orjson.dumps(document)).slots


def _complaint(content: bytes) -> str:
    with pytest.raises(InvalidDocument) as rejected:
        parse_source_document(_KEY, content)
    return str(rejected.value)


def test_source_document_is_read() -> None:
    """Every field of a broadcast is read, with its instants in UTC."""
    content = orjson.dumps(_document(_broadcast(is_signed=True)))

    schedule = parse_source_document(_KEY, content)

    assert schedule.key == _KEY
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

    (broadcast,) = _read(_document({"broadcast_pid": "p0000001", **times}))

    assert (broadcast.episode_pid, broadcast.version_pid) == (None, None)
    assert not any(
        (broadcast.is_repeat, broadcast.is_blanked, broadcast.is_signed, broadcast.is_audio_described)
    )


def test_source_document_without_broadcasts_is_read() -> None:
    """An empty list of broadcasts is a valid document."""
    broadcasts = _read(_document())

    assert broadcasts == ()


def test_source_document_ignores_unknown_fields() -> None:
    """Fields that we do not know change nothing, in the document and in a broadcast."""
    known = _document(_broadcast())

    broadcasts = _read(_document(_broadcast(region="north", extra={"a": [1]}), revision=7))

    assert broadcasts == _read(known)


@pytest.mark.parametrize("pid", [None, ""])
def test_source_document_takes_an_empty_pid_for_none(pid: str | None) -> None:
    """A null or empty episode or version pid names no programme."""
    (broadcast,) = _read(_document(_broadcast(episode_pid=pid, version_pid=pid)))

    assert (broadcast.episode_pid, broadcast.version_pid) == (None, None)


def test_blanked_broadcast_loses_its_pids() -> None:
    """A blanked broadcast keeps its slot and names neither episode nor version."""
    (broadcast,) = _read(_document(_broadcast(is_blanked=True)))

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
    """An instant is read whatever its offset, and cut to the second."""
    (broadcast,) = _read(_document(_broadcast(start=text, end="2026-01-15T23:00:00Z")))

    assert broadcast.start.isoformat() == f"{instant}+00:00"


@given(
    st.timedeltas(timedelta(0), timedelta(days=3_600_000)).map(lambda after: _SECOND_DAY + after),
    st.integers(-23 * 60, 23 * 60),
)
def test_source_document_reads_the_same_instant_at_any_offset(instant: datetime, minutes: int) -> None:
    """The offset in which an instant is written is of no consequence."""
    local = instant.astimezone(timezone(timedelta(minutes=minutes)))

    schedule = parse_source_document(_KEY, orjson.dumps(_document(published_at=local.isoformat())))

    assert schedule.published_at == instant.replace(microsecond=0)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9_999)), unique_by=lambda slot: slot[1]), st.data()
)
def test_source_document_is_read_in_order_of_start_and_pid(
    slots: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Whatever the order of its list, broadcasts come by start, and by pid where they start together."""
    made = [_broadcast(start=f"2026-01-15T0{hour}:00:00Z", broadcast_pid=f"p{n:07}") for hour, n in slots]
    shuffled = data.draw(st.permutations(made))

    broadcasts = _read(_document(*shuffled))

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
    reason = _complaint(content)

    assert reason.startswith(f"schedule alder_one_north/2026-01-15: {complaint}")


@pytest.mark.parametrize("field", ["sid", "date", "published_at", "broadcasts"])
def test_source_document_rejects_a_missing_field(field: str) -> None:
    """Each field of the document is required."""
    document = _without(_document(_broadcast()), field)

    reason = _complaint(orjson.dumps(document))

    assert reason == f"schedule alder_one_north/2026-01-15: {field}: Field required"


@pytest.mark.parametrize("field", ["broadcast_pid", "start", "end"])
def test_source_document_rejects_a_broadcast_without(field: str) -> None:
    """The pid and the times of a broadcast are required, and the complaint says which broadcast lacks one."""
    document = _document(_broadcast(), _without(_broadcast(broadcast_pid="p0000002"), field))

    reason = _complaint(orjson.dumps(document))

    assert reason == f"schedule alder_one_north/2026-01-15: broadcasts.1.{field}: Field required"


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
        pytest.param({"broadcasts": [None]}, "broadcasts.0: Input should be an object", id="broadcast null"),
        pytest.param(
            {"broadcasts": ["p0000001"]}, "broadcasts.0: Input should be an object", id="broadcast a text"
        ),
    ],
)
def test_source_document_rejects(changes: _Document, complaint: str) -> None:
    """A field of the document with a wrong type or value is refused by name."""
    reason = _complaint(orjson.dumps(_document(_broadcast(), **changes)))

    assert reason.startswith(f"schedule alder_one_north/2026-01-15: {complaint}")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        pytest.param({"broadcast_pid": "p000001"}, ".broadcast_pid: Value error, not a pid", id="short pid"),
        pytest.param(
            {"broadcast_pid": "P0000001"}, ".broadcast_pid: Value error, not a pid", id="upper-case pid"
        ),
        pytest.param({"broadcast_pid": ""}, ".broadcast_pid: Value error, not a pid", id="empty pid"),
        pytest.param({"broadcast_pid": None}, ".broadcast_pid: Input should be", id="pid null"),
        pytest.param({"broadcast_pid": 10000001}, ".broadcast_pid: Input should be", id="pid a number"),
        pytest.param(
            {"episode_pid": "episode1"}, ".episode_pid: Value error, not a pid", id="bad episode pid"
        ),
        pytest.param(
            {"version_pid": "b 000001"}, ".version_pid: Value error, not a pid", id="bad version pid"
        ),
        pytest.param(
            {"start": "06:00"}, ".start: Input should be a valid datetime", id="time without a date"
        ),
        pytest.param(
            {"start": "2026-01-15T06:00:00"}, ".start: Input should have timezone", id="naive start"
        ),
        pytest.param({"end": "2026-01-15T06:30:00"}, ".end: Input should have timezone", id="naive end"),
        pytest.param({"end": 1768464000}, ".end: Input should be a valid datetime", id="end a number"),
        pytest.param(
            {"end": "2026-02-30T06:00:00Z"}, ".end: Input should be a valid datetime", id="no such day"
        ),
        pytest.param(
            {"start": "0001-01-01T00:00:00+14:00"}, ".start: Value error, beyond", id="before year 1"
        ),
        pytest.param(
            {"end": "2026-01-15T05:59:59Z"}, ": Value error, broadcast p0000001 ends", id="ends before"
        ),
        pytest.param(
            {"end": "2026-01-15T06:00:00Z"}, ": Value error, broadcast p0000001 ends", id="no length"
        ),
        pytest.param(
            {"end": "2026-01-15T06:00:00.9Z"}, ": Value error, broadcast p0000001 ends", id="no second"
        ),
        pytest.param(
            {"end": "2026-01-15T07:00:00+01:00"}, ": Value error, broadcast p0000001", id="other offset"
        ),
        pytest.param({"is_repeat": "yes"}, ".is_repeat: Input should be a valid boolean", id="flag a text"),
        pytest.param({"is_blanked": 1}, ".is_blanked: Input should be a valid boolean", id="flag a number"),
        pytest.param({"is_signed": None}, ".is_signed: Input should be a valid boolean", id="flag null"),
    ],
)
def test_source_document_rejects_a_broadcast_with(changes: _Document, complaint: str) -> None:
    """One bad broadcast refuses the whole document, and the complaint says which it is and why."""
    document = _document(_broadcast(broadcast_pid="p0000009"), _broadcast(**changes))

    reason = _complaint(orjson.dumps(document))

    assert reason.startswith(f"schedule alder_one_north/2026-01-15: broadcasts.1{complaint}")


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
def test_source_document_rejects_another_schedule(changes: _Document, named: str) -> None:
    """A document that says that it is another schedule's than its key's is refused."""
    reason = _complaint(orjson.dumps(_document(_broadcast(), **changes)))

    assert reason == f"schedule alder_one_north/2026-01-15: the document says that it is {named!r}"


def test_source_document_rejects_a_repeated_broadcast() -> None:
    """A broadcast pid that is listed twice is refused, also where the broadcasts differ."""
    document = _document(_broadcast(), _broadcast(start="2026-01-15T09:00:00Z", end="2026-01-15T10:00:00Z"))

    reason = _complaint(orjson.dumps(document))

    assert reason == "schedule alder_one_north/2026-01-15: broadcast p0000001 is listed twice"


def test_source_document_is_limited_in_length() -> None:
    """As many broadcasts as the limit are read, and one more is refused."""
    broadcasts = [_broadcast(broadcast_pid=f"p{number:07}") for number in range(MAXIMUM_BROADCASTS + 1)]

    read = _read(_document(*broadcasts[:-1]))
    reason = _complaint(orjson.dumps(_document(*broadcasts)))

    assert len(read) == MAXIMUM_BROADCASTS
    assert "broadcasts: List should have at most 2000 items" in reason


def test_source_document_complains_three_times_at_most() -> None:
    """Of many faults the first three are named, and the others counted."""
    document = _document(*[_broadcast(broadcast_pid=f"bad{number}") for number in range(9)])

    reason = _complaint(orjson.dumps(document))

    assert "broadcasts.0.broadcast_pid" in reason
    assert "broadcasts.3" not in reason
    assert reason.endswith("; and 6 more")


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(_document(sid="x" * 10_000), id="sid"),
        pytest.param(_document(date="x" * 10_000), id="date"),
        pytest.param(_document(published_at="x" * 10_000), id="published_at"),
        pytest.param(_document(broadcasts="x" * 10_000), id="broadcasts"),
        *[
            pytest.param(_document(_broadcast(**{field: "x" * 10_000})), id=field)
            for field in ("broadcast_pid", "episode_pid", "version_pid", "start", "end", "is_repeat")
        ],
        pytest.param(_document(*[_broadcast(broadcast_pid="x" * 10_000)] * 50), id="many broadcasts"),
    ],
)
def test_source_document_does_not_echo_long_values(document: _Document) -> None:
    """A complaint is short, however long the value that it is about."""
    reason = _complaint(orjson.dumps(document))

    assert len(reason) < 600
    assert "x" * 120 not in reason


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
_instants = st.datetimes().map(lambda instant: f"{instant.isoformat()}+14:00")
_damages: list[Callable[[Any], _Document]] = [
    *[lambda value, name=name: _document(_broadcast(), **{name: value}) for name in _document()],
    *[lambda value, name=name: _document(_broadcast(**{name: value})) for name in _broadcast()],
]


@given(st.sampled_from(_damages), _json | _instants)
def test_source_document_is_read_or_rejected(damage: Callable[[Any], _Document], value: Any) -> None:
    """Whatever stands in any one field, the document is read or is refused as invalid."""
    content = orjson.dumps(damage(value))

    try:
        outcome: object = parse_source_document(_KEY, content).key
    except InvalidDocument as error:
        outcome = str(error).partition(":")[0]

    assert outcome in (_KEY, f"schedule {_KEY}")


@given(st.binary())
def test_source_document_rejects_bytes(content: bytes) -> None:
    """Bytes that happen not to be a document are refused as an invalid one."""
    reason = _complaint(content)

    assert reason.startswith("schedule alder_one_north/2026-01-15: ")
