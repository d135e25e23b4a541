"""The choice of services and pages."""

from zoneinfo import ZoneInfo

import pytest
from delivery.guides import NOON

from schedules_pipeline.delivery.guide.views import (
    MOST_SEARCHED,
    MOST_SERVICES,
    Choice,
    GuideQuery,
    choose,
    guide_page,
)
from schedules_pipeline.delivery.mirror import Extract
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.identifiers import Sid
from schedules_pipeline.domain.service_names import ServiceNames

_CALENDAR = BroadcastCalendar(ZoneInfo("Europe/London"), ("*radio*",))
_SIDS = [Sid(f"alder_{number:03}") for number in range(2 * MOST_SERVICES + 5)]


def _choose(query: GuideQuery, sids: list[Sid] = _SIDS, named: dict[str, str] | None = None) -> Choice:
    return choose(_CALENDAR, ServiceNames(named or {}), query, NOON, sids)


@pytest.mark.parametrize(("page", "rows"), [(1, MOST_SERVICES), (2, MOST_SERVICES), (3, 5), (4, 0)])
def test_services_are_on_pages(page: int, rows: int) -> None:
    """Every service is on one page, and a page says how many there are."""
    query = GuideQuery(page=page)
    choice = _choose(query)

    view = guide_page(_CALENDAR, query, choice, Extract({}), NOON)

    assert len(view.rows) == rows
    assert (view.services, view.pages) == (len(_SIDS), 3)
    if rows:
        assert view.rows[0].key.sid == _SIDS[view.first_service - 1]


def test_services_are_chosen_by_letters_of_their_name_or_id() -> None:
    """Of all pages; case does not count."""
    names = {"alder_001": "The Lighthouse", "alder_090": "Lightship"}

    by_name = _choose(GuideQuery(named="LIGHT"), named=names)
    by_id = _choose(GuideQuery(named="_12"))

    assert [key.sid for key in by_name.shown] == ["alder_001", "alder_090"]
    assert (by_id.services, {key.sid[:8] for key in by_id.shown}) == (5, {"alder_12"})


def test_a_search_is_of_all_pages() -> None:
    """Up to a limit; a question without a word is none."""
    many = [Sid(f"alder_{number:04}") for number in range(MOST_SEARCHED + 1)]

    assert len(_choose(GuideQuery(question="lamp"), many).shown) == MOST_SEARCHED
    assert len(_choose(GuideQuery(question="…"), many).shown) == MOST_SERVICES


def test_an_address_keeps_the_choice() -> None:
    """Other days, hours and pages of the same services; today's first page has the short address."""
    query = GuideQuery(group="tv", named="a b", page=2)

    assert query.address(page=3) == "/guide?group=tv&named=a+b&page=3"
    assert query.address(NOON.date(), begin="06:00") == (
        "/guide?date=2026-03-10&from=06%3A00&group=tv&named=a+b&page=2"
    )
    assert GuideQuery().address() == "/guide"
