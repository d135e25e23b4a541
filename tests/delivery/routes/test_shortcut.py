"""The shortcut for the question that is asked most."""

from collections.abc import Mapping
from typing import cast

import httpx2
import pytest
from delivery_stage import DeliveryStage
from fastapi import FastAPI
from starlette.testclient import TestClient
from toy_world import BROADCASTS, EPISODES, KEYS, ItemPut, SchedulePut, ScheduleRemoved, Slot

from schedules_pipeline.delivery.application import build_application
from schedules_pipeline.delivery.routes import schedules
from schedules_pipeline.delivery.routes.shortcut import Shortcut
from schedules_pipeline.partners.partner import Partner

_SLOTS = (Slot(BROADCASTS[0], EPISODES[0]), Slot(BROADCASTS[1], None))
_PATH = "/v1/schedules/alder/2026-03-28"
_COUNTED_DOWN = ("ratelimit",)


@pytest.fixture
def stage() -> DeliveryStage:
    """Three schedules were published, the last of them was removed; a partner sees one service of two."""
    stage = DeliveryStage()
    stage.add_partner(Partner("birch-only", stage.clock(), ("birch*",)))
    stage.publish([ItemPut(EPISODES[0], "Harbour Lights"), *(SchedulePut(key, _SLOTS) for key in KEYS)])
    stage.publish([ScheduleRemoved(KEYS[-1])])
    stage.keep_up()
    return stage


def _without_shortcut(stage: DeliveryStage) -> FastAPI:
    application = build_application(stage.delivery)
    [shortcut] = [each for each in application.user_middleware if cast("object", each.cls) is Shortcut]
    application.user_middleware.remove(shortcut)
    return application


def _shown(answer: httpx2.Response) -> tuple[int, Mapping[str, str], bytes]:
    headers = {name: value for name, value in answer.headers.items() if name not in _COUNTED_DOWN}
    return answer.status_code, headers, answer.content


_PATHS = [
    _PATH,
    f"{_PATH}?min_seq=1",
    f"{_PATH}?min_seq=999",
    f"{_PATH}?min_seq=",
    f"{_PATH}?min_seq=-1",
    f"{_PATH}?min_seq=1&min_seq=999",
    f"{_PATH}?min_seq=99999999999999999999",
    f"{_PATH}?day=utc",
    f"{_PATH}?unknown=1",
    f"{_PATH}.xmltv",
    f"{_PATH}.json",
    f"{_PATH}/",
    "/v1/schedules/%61lder/2026-03-28",
    "/v1/schedules/alder/2026-02-31",
    "/v1/schedules/alder/2026-03-30",
    "/v1/schedules/ALDER/2026-03-28",
    "/v1/schedules/alder",
    f"/v1/schedules/{KEYS[-1]}",
]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("path", _PATHS)
def test_answers_are_those_of_the_route(stage: DeliveryStage, method: str, path: str) -> None:
    """For any request for a schedule, status, headers and body equal those of the route alone."""
    routed = _without_shortcut(stage)

    for partner in ("acme", "birch-only"):
        client = stage.client(partner)
        answer = client.request(method, path)
        expected = TestClient(routed, headers=dict(client.headers), raise_server_exceptions=False).request(
            method, path
        )
        assert _shown(answer) == _shown(expected)


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json", "application/xml", "text/html", "image/png", "*/*;q=0"]
)
@pytest.mark.parametrize("coding", ["identity", "gzip", "zstd, gzip"])
@pytest.mark.parametrize("has_it", [True, False])
def test_headers_are_heeded_as_by_the_route(
    stage: DeliveryStage, accept: str, coding: str, *, has_it: bool
) -> None:
    """Type, coding and condition decide over the answer as they do on the route."""
    client = stage.client()
    headers = {"Accept": accept, "Accept-Encoding": coding}
    if has_it:
        headers["If-None-Match"] = client.get(_PATH).headers["etag"]

    answer = client.get(_PATH, headers=headers)

    expected = TestClient(_without_shortcut(stage), headers=dict(client.headers)).get(_PATH, headers=headers)
    assert _shown(answer) == _shown(expected)


@pytest.mark.parametrize(
    ("path", "status"), [(_PATH, 200), (f"{_PATH}?min_seq=1", 200), (f"{_PATH}?day=utc", 500)]
)
def test_route_is_left_out_for_the_document_alone(
    stage: DeliveryStage, monkeypatch: pytest.MonkeyPatch, path: str, status: int
) -> None:
    """The published document is given without the route, any other form of the schedule is not."""
    monkeypatch.setattr(schedules, "split_format", None)

    answer = stage.client().get(path)

    assert answer.status_code == status
