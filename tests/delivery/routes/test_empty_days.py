"""Days of many services on which nothing is published."""

from xml.etree.ElementTree import fromstring

import pytest
from delivery_stage import DeliveryStage
from toy_world import BROADCASTS, EPISODES, KEYS, SchedulePut, Slot


@pytest.mark.parametrize("name", ["", ".json", ".xmltv", ".tva", ".catalogue"])
@pytest.mark.parametrize("query", ["date=2026-05-01", "date=2026-05-01&sid=alder", "date=2026-05-01&day=utc"])
def test_day_of_many_services_may_be_empty(name: str, query: str) -> None:
    """A client that asks for a day early gets a valid document without broadcasts, in every format."""
    stage = DeliveryStage()
    stage.publish([SchedulePut(KEYS[0], (Slot(BROADCASTS[0], EPISODES[0]),))])
    stage.keep_up()

    answer = stage.client().get(f"/v1/schedules{name}?{query}")

    assert answer.status_code == 200
    if answer.headers["content-type"] == "application/json":
        told = answer.json()
        assert not told.get("schedules")
        assert not any(each["broadcasts"] for each in told.get("guides", ()))
    else:
        assert fromstring(answer.content).tag


def test_partner_without_published_services_gets_an_empty_day() -> None:
    """Before anything is published, the day is empty as well."""
    answer = DeliveryStage().client().get("/v1/schedules?date=2026-03-28")

    assert (answer.status_code, answer.json()) == (200, {"schedules": [], "missing": []})
