"""Work that reads the store or renders, beside requests that need neither."""

import asyncio
from contextlib import AsyncExitStack
from threading import Event

import pytest
from delivery.routes.asgi import GuideQuery
from delivery_stage import DeliveryStage
from toy_world import BROADCASTS, EPISODES, KEYS, SchedulePut, Slot

from schedules_pipeline.documents.cursors import FeedCursor, render_cursor


def test_store_that_hangs_holds_up_nobody_who_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests for data in memory are answered while more requests wait for the store than there are worker threads."""
    stage, let_go = DeliveryStage(), Event()
    stage.publish([SchedulePut(KEYS[0], (Slot(BROADCASTS[0], EPISODES[0]),))])
    stage.keep_up()
    end = stage.delivery.mirror.cursor
    stage.delivery.tail.restart(end.position)
    monkeypatch.setattr(stage.store.feed, "read_after", lambda *_: let_go.wait(30) and [])
    paths = ("/v1/schedules/alder/2026-03-28.xmltv", "/v1/now-next", "/v1/catalogue/coming")
    old = {"since": render_cursor(FeedCursor(end.epoch, "0"))}
    key = {"Authorization": stage.client().headers["authorization"]}

    async def ask() -> list[int]:
        async with AsyncExitStack() as asked:
            for _ in range(60):
                await asked.enter_async_context(GuideQuery(stage.application, "/v1/changes", old, key))
            asked.callback(let_go.set)
            return [await _status(path) for path in paths]

    async def _status(path: str) -> int:
        async with GuideQuery(stage.application, path, None, key) as one, asyncio.timeout(20):
            return await one.status()

    statuses = asyncio.run(ask())

    assert statuses == [200] * 3


def test_cost_of_an_answer_is_told_and_taken() -> None:
    """An answer that is rendered anew costs more than one token, and one that is remembered, or not modified, one."""
    stage = DeliveryStage()
    stage.publish([SchedulePut(KEYS[0], (Slot(BROADCASTS[0], EPISODES[0]),))])
    stage.keep_up()
    path = f"/v1/schedules/{KEYS[0]}.xmltv"
    client = stage.client()

    rendered, remembered = client.get(path), client.get(path)
    unchanged = client.get(path, headers={"If-None-Match": rendered.headers["etag"]})

    answers = (rendered, remembered, unchanged)
    assert [answer.headers.get("schedules-cost") for answer in answers] == ["2", None, None]
    left = [int(answer.headers["ratelimit"].partition("r=")[2].partition(";")[0]) for answer in answers]
    assert [left[0] - left[1], left[1] - left[2]] == [1, 1]
    assert left[0] == 60_000 - 2


def test_partner_that_owes_tokens_waits() -> None:
    """Work may cost more than is left of the minute; then the next request is rejected until the minute's refill."""
    stage = DeliveryStage()
    admission, now = stage.delivery.admission, stage.clock()
    (acme,) = stage.store.partners.all()
    admission.count_request(acme, now)

    admission.charge(acme, 60_000 + 899)

    answer = stage.client().get("/v1/services")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"
    assert '"minute";r=0;t=1' in answer.headers["ratelimit"]
