"""Work in worker threads, so much of each kind at once."""

import asyncio
from threading import Barrier, Event, Lock

import pytest

from schedules_pipeline.delivery.problems import UNAVAILABLE, Problem
from schedules_pipeline.delivery.routes.working import Workers


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


def test_who_would_wait_behind_too_many_is_refused() -> None:
    """At once, and told to try again; when the others are done there is room again."""
    let_go, workers = Event(), Workers(1, most_waiting=1)

    async def ask() -> tuple[Problem, bool]:
        asked = [asyncio.ensure_future(workers.run(let_go.wait, 30)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Problem) as refused:
            await workers.run(let_go.wait, 30)
        let_go.set()
        await asyncio.gather(*asked)
        return refused.value, await workers.run(let_go.wait, 30)

    refused, answer = asyncio.run(ask())

    assert refused.kind is UNAVAILABLE
    assert "Retry-After" in refused.headers
    assert answer
