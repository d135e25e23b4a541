"""A route and a parameter that are marked as deprecated: what partners and operators see of it."""

from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from delivery_stage import DeliveryStage
from toy_world import BROADCASTS, EPISODES, KEYS, SchedulePut, Slot

from schedules_pipeline.delivery.application import build_application
from schedules_pipeline.delivery.deprecations import DEPRECATIONS, Deprecation
from schedules_pipeline.partners.ports import UsageKind

_SCHEDULE, _BOARD = "/v1/schedules/{sid}/{date}", "/v1/now-next"
_MARKED = (
    Deprecation(
        route=_SCHEDULE,
        parameter="min_seq",
        since=date(2026, 5, 1),
        until=date(2026, 11, 1),
        instead="Compare `seq`.",
    ),
    Deprecation(route=_BOARD, since=date(2026, 4, 1), until=date(2026, 12, 1), instead="Use `/v1/board`."),
)
_ADDRESS = f"/v1/schedules/{KEYS[0]}"


@pytest.fixture
def stage() -> DeliveryStage:
    stage = DeliveryStage()
    stage.publish([SchedulePut(KEYS[0], (Slot(BROADCASTS[0], EPISODES[0]),))])
    stage.keep_up()
    stage.application = build_application(stage.delivery, deprecations=_MARKED)
    return stage


def _dates(answer: Any) -> tuple[datetime, datetime]:
    assert answer.headers["deprecation"].startswith("@")
    since = datetime.fromtimestamp(int(answer.headers["deprecation"][1:]), UTC)
    return since, parsedate_to_datetime(answer.headers["sunset"])


@pytest.mark.parametrize("accept", ["application/json", "application/xml"])
def test_a_deprecated_parameter_is_announced_where_it_is_used(stage: DeliveryStage, accept: str) -> None:
    """Answers to requests with it, in every format and also unchanged ones or problems, carry the dates and a link."""
    client, headers = stage.client(), {"Accept": accept}
    plain = client.get(_ADDRESS, headers=headers)
    used = client.get(f"{_ADDRESS}?min_seq=1", headers=headers)
    unchanged = client.get(
        f"{_ADDRESS}?min_seq=1", headers={**headers, "If-None-Match": used.headers["etag"]}
    )
    rejected = client.get(f"{_ADDRESS}?min_seq=x", headers=headers)

    assert not {"deprecation", "sunset"} & plain.headers.keys()
    assert [each.status_code for each in (used, unchanged, rejected)] == [200, 304, 400]
    for answer in (used, unchanged, rejected):
        assert _dates(answer) == (datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
        assert answer.links["deprecation"]["url"] == "/docs#deprecated"
    assert used.links["alternate"]


def test_a_deprecated_route_is_announced_always(stage: DeliveryStage) -> None:
    """Whatever the query is."""
    answer = stage.client().get(_BOARD)

    assert _dates(answer) == (datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))


def test_the_description_marks_what_is_deprecated(stage: DeliveryStage) -> None:
    """Generators of clients and readers of the page see it, with what to use instead."""
    paths = stage.application.openapi()["paths"]
    parameters = {each["name"]: each for each in paths[_SCHEDULE]["get"]["parameters"]}
    page = stage.client(None).get("/docs").text

    assert [name for name, each in parameters.items() if each.get("deprecated")] == ["min_seq"]
    assert parameters["min_seq"]["description"].endswith("Compare `seq`.")
    assert paths[_BOARD]["get"]["deprecated"]
    assert not paths[_SCHEDULE]["get"].get("deprecated")
    assert page.count("2026-11-01") == 2
    assert 'id="deprecated"' in page


def test_operators_see_who_still_uses_it(stage: DeliveryStage) -> None:
    """By partner, route and parameter; the most frequent request counts too."""
    for address in (_ADDRESS, f"{_ADDRESS}?min_seq=1", f"{_ADDRESS}.json?min_seq=1", _BOARD):
        stage.client().get(address)
    stage.keep_up()

    counts = stage.store.partners.usage(stage.clock().date())

    assert {line: count for line, count in counts.items() if line.kind is UsageKind.DEPRECATED} == {
        ("acme", UsageKind.DEPRECATED, _SCHEDULE, "min_seq"): 2,
        ("acme", UsageKind.DEPRECATED, _BOARD, ""): 1,
    }


def test_partners_have_half_a_year() -> None:
    """An earlier end cannot be written down."""
    with pytest.raises(ValueError, match="180 days"):
        Deprecation(
            route=_BOARD, since=date(2026, 4, 1), until=date(2026, 4, 1) + timedelta(days=179), instead=""
        )


def test_everything_marked_exists() -> None:
    """A mark of a route or parameter that is misspelt, or gone, would announce nothing."""
    paths = DeliveryStage().application.openapi()["paths"]

    for each in DEPRECATIONS:
        names = [
            parameter["name"] for method in paths[each.route].values() for parameter in method["parameters"]
        ]
        assert not each.parameter or each.parameter in names
