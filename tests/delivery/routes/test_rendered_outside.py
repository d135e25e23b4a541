"""Every kind of answer that is rendered, by a real process and by this one."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from builders import BRAND
from delivery.asking import Stage
from delivery.guides import ALDER, BIRCH, NOON, TODAY, key, schedule, showing
from starlette.testclient import TestClient

from schedules_pipeline.delivery.rendering import Rendering

_NOON, _TAG = int(NOON.timestamp()), "tag:schedules.example,2024:"
_PATHS = (
    f"/v1/schedules?date={TODAY}",
    f"/v1/schedules?date={TODAY}&day=05:30",
    f"/v1/schedules.xmltv?date={TODAY}",
    f"/v1/schedules.tva?date={TODAY}&day=utc&straddling=overlaps",
    f"/v1/schedules.catalogue?date={TODAY}",
    f"/v1/schedules/{ALDER}?from={TODAY}&to={TODAY + timedelta(days=2)}",
    "/players/{access}/guide.xml.gz",
    f"/dvb-i/{{access}}/schedule?sid={_TAG}{ALDER}&sid={_TAG}{BIRCH}&start={_NOON}&end={_NOON + 7_200}",
    "/v1/digest",
    "/v1/now-next?count=3",
    f"/v1/programmes/{BRAND.pid}/broadcasts",
    "/v1/catalogue/available",
    "/v1/catalogue/coming?limit=1",
    f"/guide?date={TODAY}",
    f"/guide?date={TODAY}&q=lantern",
    f"/guide/rows?sid={ALDER}&like={ALDER}&date={TODAY}",
    "/guide/changes",
    f"/guide/{ALDER}/{TODAY}",
)


def _stage(rendering: Rendering) -> Stage:
    stage = Stage(rendering=rendering)
    stage.delivery.mirror.confirmed_at = NOON
    showings = [showing(number, NOON + timedelta(hours=number - 4)) for number in range(1, 8)]
    stage.publish(schedule(key(), showings), schedule(key(BIRCH), showings), schedule(key(days=1), []))
    return stage


@pytest.fixture(scope="module")
def clients() -> Iterator[tuple[TestClient, TestClient]]:
    """One whose answers a process renders, and one whose answers this process renders."""
    rendering = Rendering(1)
    try:
        yield (
            _stage(rendering).ask_as("acme", is_operator=True),
            _stage(Rendering()).ask_as("acme", is_operator=True),
        )
    finally:
        rendering.close()


@pytest.mark.parametrize("path", _PATHS)
def test_answers_are_the_same_in_either_process(clients: tuple[TestClient, TestClient], path: str) -> None:
    """The same bytes and validator, whether the answer is rendered outside or here."""
    key_text = clients[0].headers["Authorization"].removeprefix("Bearer ")

    outside, here = (client.get(path.replace("{access}", key_text)) for client in clients)

    assert outside.status_code == here.status_code == 200
    assert outside.content == here.content
    assert outside.headers["etag"] == here.headers["etag"]


def test_latest_episodes_are_the_same_in_either_process(clients: tuple[TestClient, TestClient]) -> None:
    """Also errors: an etag that the service never issued is answered with 400."""
    question = {"brands": [str(BRAND.pid)], "since": f"{NOON - timedelta(days=3):%Y-%m-%dT%H:%M:%SZ}"}
    given = [{"episode_pid": "p0000001", "etag": "ffffffff0-0123456789abcdef"}]

    outside, here = (client.post("/v1/episodes/latest", json=question | {"given": []}) for client in clients)
    wrong, wrong_here = (
        client.post("/v1/episodes/latest", json=question | {"given": given}) for client in clients
    )

    assert outside.status_code == 200
    assert outside.json() == here.json()
    assert wrong.status_code == wrong_here.status_code
    assert wrong.json() == wrong_here.json()


def test_broadcast_that_is_not_listed_is_not_found(clients: tuple[TestClient, TestClient]) -> None:
    """Its page is 404; that of a listed one is found."""
    pages = [
        client.get(f"/guide/broadcast?sid={ALDER}&date={TODAY}&pid={pid}").status_code
        for client in clients
        for pid in (showing(1, NOON).broadcast_pid, "p9999999")
    ]

    assert pages == [200, 404] * 2
