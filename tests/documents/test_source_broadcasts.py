"""Broadcasts of a source document: which faults are corrected, and which broadcasts are quarantined."""

from datetime import UTC, datetime

import orjson
import pytest
from documents.source_documents import KEY, Document, a_broadcast, a_document, complaint_about, without

from schedules_pipeline.documents.source_document import parse_source_document
from schedules_pipeline.domain.schedule import QuarantinedBroadcast


@pytest.mark.parametrize("field", ["broadcast_pid", "start", "end"])
def test_a_broadcast_is_quarantined_without(field: str) -> None:
    """The pid and the times of a broadcast are required, and the reason says which broadcast lacks one."""
    document = a_document(a_broadcast(), without(a_broadcast(broadcast_pid="p0000002"), field))

    reason = complaint_about(orjson.dumps(document))

    assert reason == f"broadcast 2: {field}: Field required"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        pytest.param({"broadcast_pid": "p000001"}, "broadcast_pid: Value error, not a pid", id="short pid"),
        pytest.param(
            {"broadcast_pid": "P0000001"}, "broadcast_pid: Value error, not a pid", id="upper-case pid"
        ),
        pytest.param({"broadcast_pid": ""}, "broadcast_pid: Value error, not a pid", id="empty pid"),
        pytest.param({"broadcast_pid": None}, "broadcast_pid: Input should be", id="pid null"),
        pytest.param({"broadcast_pid": 10000001}, "broadcast_pid: Input should be", id="pid a number"),
        pytest.param(
            {"episode_pid": "episode1"}, "episode_pid: Value error, not a pid", id="bad episode pid"
        ),
        pytest.param({"start": "06:00"}, "start: Input should be a valid datetime", id="time without a date"),
        pytest.param({"start": "2026-01-15T06:00:00"}, "start: Input should have timezone", id="naive start"),
        pytest.param({"end": "2026-01-15T06:30:00"}, "end: Input should have timezone", id="naive end"),
        pytest.param({"end": 1768464000}, "end: Input should be a valid datetime", id="end a number"),
        pytest.param(
            {"end": "2026-02-30T06:00:00Z"}, "end: Input should be a valid datetime", id="no such day"
        ),
        pytest.param(
            {"start": "0001-01-01T00:00:00+14:00"}, "start: Value error, beyond", id="before year 1"
        ),
        pytest.param(
            {"end": "2026-01-15T05:59:59Z"},
            "document: Value error, broadcast p0000001 ends",
            id="ends before",
        ),
        pytest.param(
            {"end": "2026-01-15T06:00:00Z"}, "document: Value error, broadcast p0000001 ends", id="no length"
        ),
        pytest.param(
            {"end": "2026-01-15T06:00:00.9Z"},
            "document: Value error, broadcast p0000001 ends",
            id="no second",
        ),
        pytest.param(
            {"end": "2026-01-15T07:00:00+01:00"},
            "document: Value error, broadcast p0000001",
            id="other offset",
        ),
        pytest.param({"is_blanked": 1}, "is_blanked: Input should be a valid boolean", id="blanked a number"),
        pytest.param(
            {"end": "2026-01-16T12:00:01Z"},
            "document: Value error, broadcast p0000001 is longer than a broadcast day",
            id="more than 30 hours",
        ),
        pytest.param(
            {"end": "2062-01-15T06:30:00Z"},
            "document: Value error, broadcast p0000001 is longer than a broadcast day",
            id="digits of the year exchanged",
        ),
    ],
)
def test_a_broadcast_is_quarantined_with(changes: Document, complaint: str) -> None:
    """Only the bad broadcast is quarantined, and the reason says which it is and why."""
    document = a_document(a_broadcast(broadcast_pid="p0000009"), a_broadcast(**changes))

    found = parse_source_document(KEY, orjson.dumps(document))

    (quarantined,) = found.quarantined
    assert quarantined.reason.startswith(f"broadcast 2: {complaint}")
    assert [slot.broadcast_pid for slot in found.schedule.slots] == ["p0000009"]


@pytest.mark.parametrize("raw", [None, "p0000001", 7, [], True])
def test_a_broadcast_that_is_no_object_is_quarantined(raw: object) -> None:
    """It has no pid by which a last good slot could be found."""
    found = parse_source_document(KEY, orjson.dumps(a_document(a_broadcast(), raw)))

    assert [(each.broadcast_pid, each.is_blanked) for each in found.quarantined] == [("", False)]
    assert len(found.schedule.slots) == 1


@pytest.mark.parametrize(
    ("changes", "pid", "is_blanked"),
    [
        pytest.param({"end": None}, "p0000001", False, id="readable pid"),
        pytest.param({"broadcast_pid": "P0000001"}, "p0000001", False, id="upper-case pid"),
        pytest.param({"broadcast_pid": "nothing"}, "", False, id="no pid"),
        pytest.param({"end": None, "is_blanked": True}, "p0000001", True, id="blanked"),
        pytest.param({"end": None, "is_blanked": None}, "p0000001", False, id="null"),
        pytest.param({"is_blanked": "true"}, "p0000001", True, id="perhaps blanked"),
        pytest.param({"is_blanked": 0}, "p0000001", True, id="a number, perhaps blanked"),
    ],
)
def test_a_quarantined_broadcast_names_its_pid_and_whether_it_is_blanked(
    changes: Document, pid: str, is_blanked: bool
) -> None:
    """So that its last good slot is found, and blanked where the document may demand it."""
    (quarantined,) = parse_source_document(KEY, orjson.dumps(a_document(a_broadcast(**changes)))).quarantined

    assert (quarantined.broadcast_pid, quarantined.is_blanked) == (pid, is_blanked)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param(
            {"version_pid": "b 000001"}, "version_pid is left out: 'b 000001'", id="bad version pid"
        ),
        pytest.param({"version_pid": 7}, "version_pid is left out: 7", id="version pid a number"),
        pytest.param({"is_repeat": "yes"}, "is_repeat is left out: 'yes'", id="flag a text"),
        pytest.param({"is_signed": 1}, "is_signed is left out: 1", id="flag a number"),
        pytest.param(
            {"start": "2026-01-14T24:00:00Z"},
            "start at 24:00 is midnight of the next day",
            id="start at 24:00",
        ),
        pytest.param(
            {"end": "2026-01-15T24:00Z"}, "end at 24:00 is midnight of the next day", id="end at 24:00"
        ),
        pytest.param(
            {"end": "2026-01-15 24:00:00.000+01:00"},
            "end at 24:00 is midnight of the next day",
            id="end at 24:00 in another spelling",
        ),
    ],
)
def test_what_has_one_reading_is_mended(changes: Document, told: str) -> None:
    """The broadcast is accepted, and the document lists the correction."""
    found = parse_source_document(KEY, orjson.dumps(a_document(a_broadcast(**changes))))

    assert (found.quarantined, found.mended) == ((), (f"broadcast 1: {told}",))
    (slot,) = found.schedule.slots
    assert slot.start in (datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 1, 15, 6, tzinfo=UTC))


@pytest.mark.parametrize("flag", ["is_repeat", "is_blanked", "is_signed", "is_audio_described"])
def test_a_null_flag_is_false(flag: str) -> None:
    """As an absent one is; nothing needs to be told."""
    found = parse_source_document(KEY, orjson.dumps(a_document(a_broadcast(**{flag: None}))))

    assert found == parse_source_document(
        KEY, orjson.dumps(a_document(without(a_broadcast(), flag) | {flag: False}))
    )


def test_an_identical_repetition_is_dropped() -> None:
    """The broadcast is accepted once."""
    found = parse_source_document(KEY, orjson.dumps(a_document(a_broadcast(), a_broadcast())))

    assert len(found.schedule.slots) == 1
    assert found.mended == ("broadcast p0000001 is listed 2 times, always the same",)


def test_a_broadcast_that_is_listed_twice_and_differs_is_quarantined() -> None:
    """Neither of the two is certain, and it is blanked if one of them is."""
    later = a_broadcast(start="2026-01-15T09:00:00Z", end="2026-01-15T10:00:00Z", is_blanked=True)

    found = parse_source_document(
        KEY, orjson.dumps(a_document(a_broadcast(), a_broadcast(broadcast_pid="p0000002"), later))
    )

    assert found.quarantined == (
        QuarantinedBroadcast("p0000001", "broadcast p0000001 is listed 2 times, and differs", True),
    )
    assert [slot.broadcast_pid for slot in found.schedule.slots] == ["p0000002"]


def test_a_broadcast_of_a_whole_radio_day_is_accepted() -> None:
    """Thirty hours are the longest broadcast day."""
    found = parse_source_document(KEY, orjson.dumps(a_document(a_broadcast(end="2026-01-16T12:00:00Z"))))

    assert [slot.duration_seconds for slot in found.schedule.slots] == [30 * 3600]


def test_a_usable_and_an_unusable_listing_of_one_broadcast_are_quarantined_together() -> None:
    """The usable one is no more certain, and one of the two may blank the broadcast."""
    unusable = a_broadcast(broadcast_pid="P0000001", is_blanked=True)

    found = parse_source_document(KEY, orjson.dumps(a_document(a_broadcast(), unusable)))

    (quarantined,) = found.quarantined
    assert (quarantined.broadcast_pid, quarantined.is_blanked) == ("p0000001", True)
    assert quarantined.reason.startswith("broadcast p0000001 is listed 2 times, and differs; broadcast 2: ")
    assert found.schedule.slots == ()


def test_an_unusable_broadcast_that_is_listed_twice_is_one_broadcast() -> None:
    """It counts once in the share of the day."""
    unusable = a_broadcast(end=None)

    found = parse_source_document(KEY, orjson.dumps(a_document(unusable, unusable | {"is_blanked": True})))

    assert [(each.broadcast_pid, each.is_blanked) for each in found.quarantined] == [("p0000001", True)]
