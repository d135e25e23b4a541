"""Turns at slow work, shared between partners."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from schedules_pipeline.delivery.problems import TOO_MANY_REQUESTS, UNAVAILABLE, Problem
from schedules_pipeline.delivery.turns import Turns


class _Work:
    """Requests that hold their turn until they are let go; ``begun`` names them in order."""

    def __init__(self, turns: Turns) -> None:
        self.begun: list[str] = []
        self._turns = turns
        self._let_go: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def ask(self, *names: str) -> None:
        """``acme 1`` is a request of the partner ``acme``."""
        for name in names:
            self._let_go[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._hold(name))
        await _settle()

    async def _hold(self, name: str) -> None:
        async with self._turns.turn(name.split(maxsplit=1)[0]):
            self.begun.append(name)
            await self._let_go[name].wait()

    async def end(self, *names: str) -> None:
        for name in names:
            self._let_go[name].set()
        await _settle()

    async def cancel(self, name: str) -> None:
        self._tasks[name].cancel()
        await _settle()

    async def end_all(self) -> None:
        while not all(task.done() for task in self._tasks.values()):
            await self.end(*self.begun)


async def _settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def _run(turns: Turns, story: Callable[[_Work], Awaitable[None]]) -> list[str]:
    async def run() -> list[str]:
        work = _Work(turns)
        async with asyncio.timeout(10):
            await story(work)
        return work.begun

    return asyncio.run(run())


def test_partners_begin_in_rotation() -> None:
    """A partner that sends many requests at once delays another by one of them, not by all."""

    async def story(work: _Work) -> None:
        await work.ask(*(f"greedy {number}" for number in range(5)), "acme 1", "acme 2", "other 1")
        await work.end_all()

    begun = _run(Turns(1, 1), story)

    assert begun == [
        "greedy 0",
        "greedy 1",
        "acme 1",
        "other 1",
        "greedy 2",
        "acme 2",
        "greedy 3",
        "greedy 4",
    ]


def test_one_partner_leaves_room_for_others() -> None:
    """Of three turns one partner holds two at most; the third is free for the next partner at once."""

    async def story(work: _Work) -> None:
        await work.ask("greedy 1", "greedy 2", "greedy 3", "acme 1")
        assert work.begun == ["greedy 1", "greedy 2", "acme 1"]
        await work.end("acme 1")
        assert work.begun == ["greedy 1", "greedy 2", "acme 1"]
        await work.end("greedy 1")
        assert work.begun[-1] == "greedy 3"
        await work.end_all()

    _run(Turns(3, 2), story)


@pytest.mark.parametrize("leaves", ["waiting", "working"])
def test_request_that_is_cancelled_gives_its_turn_back(leaves: str) -> None:
    """Whether it waits or works, the next one begins, and all turns are free in the end."""

    async def story(work: _Work) -> None:
        await work.ask("acme 1", "acme 2", "other 1")
        await work.cancel("acme 2" if leaves == "waiting" else "acme 1")
        await work.end_all()
        await work.ask("third 1")
        assert work.begun[-1] == "third 1"
        await work.end_all()

    begun = _run(Turns(1, 1), story)

    assert "other 1" in begun
    assert ("acme 2" in begun) == (leaves == "working")


def test_request_that_is_cancelled_as_its_turn_comes_gives_it_back() -> None:
    """The turn was granted, but the request is cancelled before it has run."""

    async def story(work: _Work) -> None:
        await work.ask("acme 1", "other 1", "third 1")
        work._let_go["acme 1"].set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await work.cancel("other 1")
        await work.end_all()

    assert "third 1" in _run(Turns(1, 1), story)


def test_no_turn_is_lost_to_a_request_that_is_cancelled_as_another_ends() -> None:
    """Both happen within one iteration of the event loop, and all turns are free in the end."""

    async def story(work: _Work) -> None:
        await work.ask("acme 1", "acme 2")
        work._let_go["acme 1"].set()
        # Runs after the end of the first was scheduled, and before it.
        work._tasks["acme 2"].cancel()
        await _settle()
        await work.ask("acme 3")
        assert work.begun == ["acme 1", "acme 3"]
        await work.end_all()

    _run(Turns(2, 1), story)


def test_answers_that_have_begun_take_no_room_of_other_partners() -> None:
    """However many of one partner wait to go on, another partner's request may wait."""

    async def story(work: _Work) -> None:
        async def go_on() -> None:
            async with work._turns.turn("acme", has_begun=True):
                pass

        await work.ask("acme 0")
        going_on = [asyncio.create_task(go_on()) for _ in range(10)]
        await work.ask("other 1")
        await work.end_all()
        await asyncio.gather(*going_on)

    assert _run(Turns(1, 1, most_waiting=3, each_most_waiting=2), story) == ["acme 0", "other 1"]


def test_more_than_may_wait_are_rejected() -> None:
    """A partner whose requests fill its own queue gets 429; others go on until all queues are full, then 503."""

    async def story(work: _Work) -> None:
        turns = work._turns
        await work.ask("acme 0", "acme 1", "acme 2", "other 1")
        with pytest.raises(Problem) as own:
            async with turns.turn("acme"):
                pass
        with pytest.raises(Problem) as of_all:
            async with turns.turn("third"):
                pass
        assert (own.value.kind, own.value.members) == (
            TOO_MANY_REQUESTS,
            {"violated-policies": ["rendering"]},
        )
        assert of_all.value.kind is UNAVAILABLE
        assert "Retry-After" in own.value.headers.keys() & of_all.value.headers.keys()
        await work.end_all()
        await work.ask("third 1")
        await work.end_all()

    begun = _run(Turns(1, 1, most_waiting=3, each_most_waiting=2), story)

    assert begun[-1] == "third 1"
