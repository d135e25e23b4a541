"""Pages of the guide that have nothing to show: they say why, and lead back."""

import re
from datetime import timedelta

import pytest
from delivery.asking import Stage
from delivery.guides import ALDER, BIRCH, NOON, TODAY, key, schedule, showing

from schedules_pipeline.delivery.guide.times import long_date
from schedules_pipeline.delivery.mirror import MirroredSchedule
from schedules_pipeline.domain.identifiers import Sid

_WAYS = re.compile(r'<a class="button" href="([^"]*)">')


def _empty(page: str) -> str:
    """The part of the page that stands in place of the grid."""
    assert 'id="grid"' not in page
    assert 'role="grid"' not in page
    return page.partition('<section class="empty"')[2].partition("</section>")[0]


@pytest.fixture
def stage() -> Stage:
    """Two services with a schedule yesterday, today and the day after tomorrow."""
    stage = Stage()
    days = (-1, 0, 2)
    stage.publish(*(schedule(key(sid, n), [showing(n + 1, NOON)]) for sid in (ALDER, BIRCH) for n in days))
    return stage


@pytest.mark.parametrize(
    ("query", "ways"),
    [
        ("?named=zzz", ["/guide"]),
        (f"?date={TODAY}&from=06:00&named=zzz", [f"/guide?date={TODAY}&amp;from=06%3A00"]),
    ],
)
def test_a_filter_that_matches_no_service_leads_back(stage: Stage, query: str, ways: list[str]) -> None:
    """The reader keeps the day and the time, and loses the filter alone."""
    empty = _empty(stage.client.get(f"/guide{query}").text)

    assert "No service matches." in empty
    assert _WAYS.findall(empty) == ways
    assert 'role="row"' in stage.client.get(ways[0].replace("&amp;", "&")).text
    assert "data-dates" not in empty


def test_letters_that_match_in_another_group_lead_there(stage: Stage) -> None:
    """Before all services, which are the second way."""
    radio = Sid("birch_radio")
    stage.publish(schedule(key(radio), [showing(9, NOON)]))

    empty = _empty(stage.client.get("/guide?group=tv&named=birch_r").text)

    assert _WAYS.findall(empty) == ["/guide?named=birch_r", "/guide"]
    assert f'data-sid="{radio}"' in stage.client.get("/guide?named=birch_r").text


def test_a_page_beyond_the_last_leads_to_the_first(stage: Stage) -> None:
    """As when services are gone since the address was shared."""
    empty = _empty(stage.client.get("/guide?page=2").text)

    assert "There is no page 2." in empty
    assert _WAYS.findall(empty) == ["/guide"]


@pytest.mark.parametrize(
    ("days", "ways"), [(1, (0, 2)), (7, (2,)), (-400, (-1,))], ids=["between", "after the last", "before all"]
)
def test_a_day_without_schedules_leads_to_the_nearest_that_have_some(
    stage: Stage, days: int, ways: tuple[int, ...]
) -> None:
    """Instead of a row for each service that says the same. A removed schedule is none."""
    stage.delivery.mirror.advance("99-0", [MirroredSchedule(key(ALDER, 1), 2, "", NOON, None)], NOON)
    asked = key(days=days).date

    empty = _empty(stage.client.get(f"/guide?date={asked}").text)

    assert f"Nothing is published for {long_date(asked)}." in empty
    assert _WAYS.findall(empty) == [f"/guide?date={key(days=day).date}" for day in ways]
    assert str(asked) in empty.partition('data-dates="')[2].partition('"')[0]


def test_one_schedule_is_enough_for_a_grid(stage: Stage) -> None:
    """The other services say in their rows that they have none."""
    stage.publish(schedule(key(ALDER, 1), [showing(8, NOON + timedelta(days=1))]))

    page = stage.client.get(f"/guide?date={key(days=1).date}").text

    assert page.count('role="row"') == 2
    assert page.count("No schedule is published for this day") == 1
    assert 'class="empty"' not in page


def test_a_schedule_without_broadcasts_has_a_row(stage: Stage) -> None:
    """It is published, so the day is not without schedules."""
    stage.publish(schedule(key(ALDER, 1), []))

    page = stage.client.get(f"/guide?date={key(days=1).date}").text

    assert "Its schedule lists nothing for these hours" in page


def test_before_anything_is_published_the_page_waits() -> None:
    """Also a partner whose services have no schedule reads why the page is empty."""
    stage = Stage()
    stage.publish(schedule(key(), [showing(1, NOON)]))

    for client in (Stage().client, stage.ask_as("narrow", ("birch_*",))):
        empty = _empty(client.get("/guide").text)

        assert "Nothing is published yet." in empty
        assert 'data-dates=""' in empty
