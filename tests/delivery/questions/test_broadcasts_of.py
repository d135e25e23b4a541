"""The broadcasts of a programme, found in the published schedules page by page."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from builders import BRAND, SERIES
from delivery.guides import ALDER, BIRCH, EPISODE, NOON, TODAY, key, schedule, showing
from fakes import Conditions, FakeClock, FakeCopyStore, FakeReferenceIndex
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.delivery.questions import broadcasts_of
from schedules_pipeline.delivery.questions.broadcasts_of import (
    Page,
    Question,
    find_broadcasts,
    parse_place,
    plan_reads,
    render_place,
)
from schedules_pipeline.delivery.questions.lineage import Lineage
from schedules_pipeline.documents.catalogue_document import render_copy
from schedules_pipeline.domain.airing import Airing, Place, find_airings
from schedules_pipeline.domain.catalogue import CatalogueItem, Kind
from schedules_pipeline.domain.dependencies import Reference
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.programme import TitledItem
from schedules_pipeline.domain.published import PublishedSchedule
from schedules_pipeline.errors import InvalidIdentifier

_WEEK = Interval(NOON, NOON + timedelta(days=8))
_OTHER = Pid("p0000002")
_NOBODYS = TitledItem(pid=Pid("b0000002"), title="Salt and Slate")


class _Published:
    """The published schedules by key; records which of them were read."""

    def __init__(self, schedules: Iterable[PublishedSchedule]) -> None:
        self._by_key = {listed.key: listed for listed in schedules}
        self.keys_read: list[ScheduleKey] = []

    def schedule(self, of: ScheduleKey) -> PublishedSchedule | None:
        self.keys_read.append(of)
        return self._by_key.get(of)

    def references(self) -> list[Reference]:
        """As the index has them, and one too many: of every schedule that lists anything that is not blanked."""
        return [
            Reference(of)
            for of, listed in self._by_key.items()
            if any(not shown.is_blanked for shown in listed.broadcasts)
        ]


def _lineage(*items: CatalogueItem) -> Lineage:
    conditions = Conditions()
    copies = FakeCopyStore(conditions, FakeReferenceIndex(conditions), FakeClock(NOON))
    known = (CatalogueItem(BRAND.pid, Kind.BRAND), CatalogueItem(EPISODE, Kind.EPISODE), *items)
    copies.copies = {item.pid: render_copy(item) for item in known}
    return Lineage(copies)


def _ask(question: Question, published: _Published, lineage: Lineage | None = None) -> Page:
    reads = plan_reads(published.references(), question, lambda sid: True)
    return find_broadcasts(question, reads, published.schedule, lineage or _lineage())


def _ask_on(question: Question, published: _Published) -> list[Page]:
    """All pages."""
    pages = [_ask(question, published)]
    while (after := pages[-1].following) is not None:
        assert len(pages) < 200, "the pages lead nowhere"
        pages.append(
            _ask(
                Question(question.pid, question.window, question.limit, parse_place(render_place(after))),
                published,
            )
        )
    return pages


def _pids(airings: Iterable[Airing]) -> list[tuple[Sid, Pid]]:
    return [(airing.key.sid, airing.broadcast.broadcast_pid) for airing in airings]


@pytest.mark.parametrize("pid", [EPISODE, SERIES.pid, BRAND.pid])
def test_episode_series_and_brand_are_found(pid: Pid) -> None:
    """What a document names, as the episode, its series or its brand, is where it is shown."""
    shown = showing(1, NOON + timedelta(hours=1))
    other = showing(2, NOON + timedelta(hours=2), episode_pid=_OTHER, series=None, brand=_NOBODYS)
    published = _Published([schedule(key(), [shown, other])])

    page = _ask(Question(pid, _WEEK, 10), published)

    assert page == Page((Airing(key(), shown),), None)


def test_series_that_no_document_names_is_found() -> None:
    """Items below a series within a series are found through the pipeline's copies."""
    outer = Pid("s0000009")
    shown = showing(1, NOON)
    beside = showing(2, NOON + timedelta(hours=1), episode_pid=_OTHER, series=None)
    published = _Published([schedule(key(), [shown, beside])])
    lineage = _lineage(
        CatalogueItem(EPISODE, Kind.EPISODE, parent_pid=SERIES.pid),
        CatalogueItem(SERIES.pid, Kind.SERIES, parent_pid=outer),
        CatalogueItem(outer, Kind.SERIES, parent_pid=BRAND.pid),
        CatalogueItem(_OTHER, Kind.EPISODE, parent_pid=BRAND.pid),
    )

    page = _ask(Question(outer, _WEEK, 10), published, lineage)

    assert [airing.broadcast for airing in page.airings] == [shown]


def test_blanked_broadcast_is_not_found() -> None:
    """A broadcast that was blanked shows nothing any more; one whose episode is not known still names it."""
    blanked = showing(1, NOON, episode_pid=None)
    unknown = showing(2, NOON, is_known=False)
    published = _Published([schedule(key(), [blanked, unknown])])

    page = _ask(Question(EPISODE, _WEEK, 10), published)

    assert [airing.broadcast for airing in page.airings] == [unknown]


def test_later_version_of_the_day_beside_counts() -> None:
    """Where days overlap and the one that was published last has blanked a broadcast, it is not found."""
    night = datetime(2026, 3, 11, 1, tzinfo=UTC)
    before = schedule(key(), [showing(1, night)], seq=1)
    after = schedule(key(days=1), [showing(1, night, episode_pid=None)], seq=2)

    page = _ask(Question(EPISODE, _WEEK, 10), _Published([before, after]))

    assert page == Page((), None)


def test_what_is_on_air_at_the_start_is_included() -> None:
    """A showing that ends after the window's start is asked for, one that ends at it or starts at its end is not."""
    over, on_air, beyond = (
        showing(1, NOON - timedelta(minutes=30)),
        showing(2, NOON - timedelta(minutes=29)),
        showing(3, _WEEK.end),
    )
    published = _Published([schedule(key(), [over, on_air]), schedule(key(days=8), [beyond])])

    page = _ask(Question(EPISODE, _WEEK, 10), published)

    assert [airing.broadcast for airing in page.airings] == [on_air]


def test_service_that_may_not_be_seen_is_not_keys_read() -> None:
    """Of services that the partner may not see no schedule is looked into."""
    references = [Reference(key(ALDER)), Reference(key(BIRCH), Pid("w0000001")), Reference(key(BIRCH))]

    reads = plan_reads(references, Question(EPISODE, _WEEK, 10), lambda sid: sid == BIRCH)

    assert reads == [(TODAY + timedelta(days=days), [key(BIRCH, days)]) for days in (-1, 0, 1)]


def test_days_outside_of_the_window_are_not_keys_read() -> None:
    """However many schedules show it, only days that may reach into the window, and those beside, are looked into."""
    references = [Reference(key(days=days)) for days in range(-30, 31)]

    reads = plan_reads(references, Question(EPISODE, _WEEK, 10), lambda sid: True)

    assert [day for day, _ in reads] == [TODAY + timedelta(days=days) for days in range(-3, 11)]


def test_full_page_looks_no_further() -> None:
    """Once a page is full, and nothing can come before its last, the days after it are not looked into."""
    published = _Published(
        [schedule(key(days=days), [showing(days, NOON + timedelta(days=days))]) for days in range(9)]
    )

    page = _ask(Question(EPISODE, _WEEK, 1), published)

    assert (_pids(page.airings), page.following) == ([(ALDER, "w0000000")], page.airings[0].place)
    assert max(of.date for of in published.keys_read) < TODAY + timedelta(days=5)


def test_page_ends_after_so_many_schedules(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that has looked into many schedules ends, though it is not full, and says where to go on."""
    monkeypatch.setattr(broadcasts_of, "MOST_SCHEDULES", 3)
    published = _Published(
        [schedule(key(days=days), [showing(days, NOON, episode_pid=_OTHER)]) for days in range(8)]
    )
    question = Question(EPISODE, _WEEK, 10)

    first, *rest = _ask_on(question, published)

    assert first.airings == ()
    assert first.following is not None
    assert first.following.start > NOON
    assert rest[-1].following is None
    assert {key(days=days) for days in range(8)} <= set(published.keys_read)


_days = st.lists(
    st.tuples(
        st.sampled_from([ALDER, BIRCH]),
        st.integers(-3, 10),
        st.lists(
            st.tuples(
                st.integers(1, 6),
                st.integers(-60, 60 * 29),
                st.integers(1, 300),
                st.sampled_from([EPISODE, _OTHER, None]),
            ),
            max_size=5,
            unique_by=lambda slot: slot[0],
        ),
        st.integers(1, 5),
    ),
    max_size=12,
    unique_by=lambda row: row[:2],
)


def _schedules(
    rows: Iterable[tuple[Sid, int, list[tuple[int, int, int, Pid | None]], int]],
) -> list[PublishedSchedule]:
    """Two days that follow each other may list the same broadcast, as where it moves or days overlap."""
    return [
        schedule(
            key(sid, days),
            [
                showing(
                    number + 100 * ((days + 3) // 2),
                    datetime(2026, 3, 10, tzinfo=UTC) + timedelta(days=days, minutes=minutes),
                    lasts,
                    episode_pid=pid,
                )
                for number, minutes, lasts, pid in slots
            ],
            seq,
        )
        for sid, days, slots, seq in rows
    ]


@given(_days, st.integers(1, 4), st.integers(1, 6))
def test_pages_together_are_everything_in_order(
    rows: list[tuple[Sid, int, list[tuple[int, int, int, Pid | None]], int]], limit: int, most_schedules: int
) -> None:
    """Page by page, each broadcast that is in the window is given once, in order of place, and nothing else is."""
    schedules = _schedules(rows)
    question = Question(EPISODE, _WEEK, limit)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(broadcasts_of, "MOST_SCHEDULES", most_schedules)
        pages = _ask_on(question, _Published(schedules))

    assert [airing for page in pages for airing in page.airings] == [
        airing
        for airing in find_airings(schedules)
        if airing.broadcast.episode_pid == EPISODE
        and airing.broadcast.end > _WEEK.start
        and airing.broadcast.start < _WEEK.end
    ]
    assert all(len(page.airings) <= limit for page in pages)


@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds are naive
    st.sampled_from(["", "alder_one"]),
    st.sampled_from(["", "w0000001"]),
)
def test_cursor_of_a_place_reads_back(start: datetime, sid: str, pid: str) -> None:
    """A cursor is read as the place that it was made of, to the second, and can stand in an address."""
    place = Place(start.replace(microsecond=0), sid, pid)

    cursor = render_place(place)

    assert parse_place(cursor) == place
    assert cursor.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "cursor", ["", "x", "bm9uZQ", "MHxhfGI", "OTk5OTk5OTk5OTk5OTk5OTk5fHw", "é", "MTB8fA=="]
)
def test_other_texts_are_no_cursors(cursor: str) -> None:
    """A cursor that the service never issued is rejected."""
    with pytest.raises(InvalidIdentifier, match="not a cursor"):
        parse_place(cursor)


def test_night_is_found_in_the_day_before() -> None:
    """A showing that starts inside of the window is found though its broadcast day is named after the day before."""
    night = showing(1, datetime(2026, 3, 11, 2, tzinfo=UTC))
    published = _Published([schedule(key(), [night])])
    window = Interval(datetime(2026, 3, 11, 1, tzinfo=UTC), datetime(2026, 3, 11, 3, tzinfo=UTC))

    page = _ask(Question(EPISODE, window, 10), published)

    assert [airing.key.date for airing in page.airings] == [TODAY]
