"""Work in worker threads, so much of each kind at once."""

import asyncio
from contextlib import AsyncExitStack
from threading import Barrier, Event, Lock

import pytest
from delivery.routes.asgi import GuideQuery
from delivery_stage import DeliveryStage
from toy_world import BROADCASTS, EPISODES, KEYS, SchedulePut, Slot

from schedules_pipeline.delivery.problems import UNAVAILABLE, Problem
from schedules_pipeline.delivery.routes.working import Workers
from schedules_pipeline.documents.cursors import FeedCursor, render_cursor


def test_no_more_is_done_at_once_than_was_said() -> None:
    """So much goes on side by side; what comes beyond that waits its turn, and is done as well."""
    workers, side_by_side = Workers(2), Barrier(2)
    under_way: list[int] = []
    lock = Lock()

    def work(number: int) -> int:
        with lock:
            under_way.append(number)
            at_once = len(under_way)
        side_by_side.wait(30)
        with lock:
            under_way.remove(number)
        return at_once

    async def ask() -> list[int]:
        return await asyncio.gather(*(workers.run(work, number) for number in range(6)))

    answers = asyncio.run(ask())

    assert max(answers) == 2
    assert len(answers) == 6


def test_who_would_wait_behind_too_many_is_rejected() -> None:
    """At once, and told to try again; when the others are done there is room again."""
    let_go, workers = Event(), Workers(1, most_waiting=1)

    async def ask() -> tuple[Problem, bool]:
        asked = [asyncio.ensure_future(workers.run(let_go.wait, 30)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Problem) as rejected:
            await workers.run(let_go.wait, 30)
        let_go.set()
        await asyncio.gather(*asked)
        return rejected.value, await workers.run(let_go.wait, 30)

    rejected, answer = asyncio.run(ask())

    assert rejected.kind is UNAVAILABLE
    assert "Retry-After" in rejected.headers
    assert answer


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
