"""The XMLTV import: how times are read, and into which broadcast day a programme goes."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from documents.xmltv_guides import (
    CALENDAR,
)
from documents.xmltv_imports import (
    broadcasts_of,
    imported_from,
    parse_imported,
    programme_element,
    times_of,
    tv_document,
)

from schedules_pipeline.documents.source_document import MAXIMUM_BROADCASTS
from schedules_pipeline.documents.xmltv_import import ImportRules
from schedules_pipeline.documents.xmltv_reader import Remark, parse_time
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20260328120000 +0000", "2026-03-28T12:00:00+00:00"),
        ("20260328120000 +0130", "2026-03-28T10:30:00+00:00"),
        ("20260328120000-0500", "2026-03-28T17:00:00+00:00"),
        ("202603281200 +01:00", "2026-03-28T11:00:00+00:00"),
        ("2026032812 BST", "2026-03-28T11:00:00+00:00"),
        ("20260328120000 Z", "2026-03-28T12:00:00+00:00"),
        (" 202607281200 ", "2026-07-28T10:00:00+00:00"),
        ("20260328", None),
        ("202603281", None),
        ("20260230120000", None),
        ("20260328240000", None),
        ("2026032812000011", None),
        ("20260328120000 XYZ", None),
        ("20260328120000 +9900", None),
        ("00010101000000 +0000", None),
        ("99991231235959 -0100", None),
        ("٢٠٢٦٠٣٢٨١٢٠٠", None),
        ("", None),
        (None, None),
    ],
)
def test_a_time_is_read_as_the_dtd_has_it(text: str | None, expected: str | None) -> None:
    """A time has an offset, the name of a zone, or neither, which means the given zone; any other text is no time."""
    found = parse_time(text, ZoneInfo("Europe/Vienna"))

    assert (found and found.isoformat()) == expected


def test_a_time_without_an_offset_is_utc_unless_said_otherwise() -> None:
    """As the DTD has it; or in the zone of the rules, on either side of a change of the clocks."""
    content = tv_document(programme_element("20260328120000", "20260329120000"))
    vienna = ImportRules(CALENDAR, zone=ZoneInfo("Europe/Vienna"))

    assert times_of(imported_from(content)) == [("2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z")]
    assert times_of(imported_from(content, vienna)) == [("2026-03-28T11:00:00Z", "2026-03-29T10:00:00Z")]


@pytest.mark.parametrize("stop", [None, "nonsense", "202603281100 +0000"])
def test_what_has_no_stop_ends_when_the_next_begins(stop: str | None) -> None:
    """The next later programme of the same channel, in any order of the file."""
    following = programme_element("202603281245 +0000", "202603281300 +0000", "<title>Next</title>")
    elsewhere = programme_element("202603281210 +0000", "202603281300 +0000", channel="other")

    imported = imported_from(tv_document(following, elsewhere, programme_element(stop=stop)))

    assert ("2026-03-28T12:00:00Z", "2026-03-28T12:45:00Z") in times_of(imported)
    assert imported.remarks[Remark.NO_STOP] == 1


def test_what_ends_when_it_begins_is_left_out() -> None:
    """It is counted, and not stretched over the programme beside it."""
    empty = programme_element("202603281200 +0000", "202603281400 +0200")
    following = programme_element("202603281245 +0000", "202603281300 +0000", "<title>Next</title>")

    imported = imported_from(tv_document(empty, following))

    assert times_of(imported) == [("2026-03-28T12:45:00Z", "2026-03-28T13:00:00Z")]
    assert imported.remarks == {Remark.NO_LENGTH: 1}


def test_what_has_no_stop_and_nothing_follows_is_left_out() -> None:
    """How long it is cannot be known; a gap of days in the guide is no programme of days."""
    much_later = programme_element("202603301200 +0000", "202603301300 +0000")

    imported = imported_from(tv_document(programme_element(stop=None), much_later))

    assert times_of(imported) == [("2026-03-30T12:00:00Z", "2026-03-30T13:00:00Z")]
    assert imported.remarks == {Remark.NO_END: 1}


def test_overlaps_and_gaps_stay() -> None:
    """The schedule's own check reports them."""
    slots = [("1200", "1300"), ("1230", "1330"), ("1500", "1530")]

    imported = imported_from(
        tv_document(*(programme_element(f"20260328{a} +0000", f"20260328{b} +0000") for a, b in slots))
    )

    assert times_of(imported) == [
        (f"2026-03-28T{a[:2]}:{a[2:]}:00Z", f"2026-03-28T{b[:2]}:{b[2:]}:00Z") for a, b in slots
    ]
    assert imported.remarks == {}


def test_a_clump_shares_its_slot() -> None:
    """Both have the times that the guide gives; without a stop, up to the next slot."""
    clump = [
        programme_element(stop=None, inside=f"<title>{title}</title>", more=f'clumpidx="{n}/2"')
        for n, title in enumerate(("News", "Weather"))
    ]

    imported = imported_from(
        tv_document(*clump, programme_element("202603281230 +0000", "202603281300 +0000"))
    )

    assert times_of(imported)[:2] == [("2026-03-28T12:00:00Z", "2026-03-28T12:30:00Z")] * 2
    assert imported.remarks[Remark.CLUMPED] == 2


def test_a_programme_that_is_given_twice_is_shown_once() -> None:
    """The same times and the same episode; another showing of it is no repetition."""
    again = programme_element("202603281300 +0000", "202603281330 +0000")

    imported = imported_from(tv_document(programme_element(), programme_element(), again))

    assert len(broadcasts_of(imported)) == 2
    assert imported.remarks == {Remark.REPEATED: 1}


def _days_of(
    starts: Iterable[str], channel: str = "alder", calendar: BroadcastCalendar = CALENDAR
) -> list[str]:
    """The broadcast day of each start, imported alone."""
    found = []
    for start in starts:
        at = datetime.strptime(start, "%Y%m%d%H%M").replace(tzinfo=UTC)
        stop = f"{at + timedelta(minutes=1):%Y%m%d%H%M}"
        imported = imported_from(
            tv_document(programme_element(start, stop, channel=channel)), ImportRules(calendar)
        )
        found += [day.isoformat() for _, day in imported.schedules]
    return found


def test_a_television_day_begins_at_six_local_time() -> None:
    """In winter and in summer, and in the nights in which the clocks change."""
    starts = ["202603280559", "202603280600", "202603290459", "202603290500", "202610250559", "202610250600"]

    days = _days_of(starts)

    assert days == ["2026-03-27", "2026-03-28", "2026-03-28", "2026-03-29", "2026-10-24", "2026-10-25"]


def test_a_radio_day_begins_at_midnight_local_time() -> None:
    """The hours that two of its days share belong to the later."""
    days = _days_of(["202603272359", "202603280000", "202603280300", "202607272300"], "alder radio")

    assert days == ["2026-03-27", "2026-03-28", "2026-03-28", "2026-07-28"]


def test_broadcast_days_are_cut_in_their_own_zone() -> None:
    """The days are those of the calendar's zone, not of the guide's."""
    calendar = BroadcastCalendar(ZoneInfo("America/New_York"))

    assert _days_of(["202603281000", "202603280959"], calendar=calendar) == ["2026-03-28", "2026-03-27"]


def test_no_day_has_more_than_the_pipeline_takes() -> None:
    """Programmes above the limit are dropped and counted; otherwise the pipeline would reject the whole day."""
    start = datetime(2026, 3, 28, 6, tzinfo=UTC)
    times = [f"{start + timedelta(seconds=n):%Y%m%d%H%M%S} +0000" for n in range(MAXIMUM_BROADCASTS + 3)]

    imported = imported_from(tv_document(*(programme_element(a, b) for a, b in pairwise(times))))

    assert len(broadcasts_of(imported)) == MAXIMUM_BROADCASTS
    assert imported.remarks == {Remark.TOO_MANY: 2}
    parse_imported(imported)
