"""The feed's latest rows in memory, and those who wait."""

import asyncio
from itertools import pairwise

import pytest
from delivery.feed_rows import entry
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.delivery.tail import Tail


def _rows(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last + 1)]


@given(st.lists(st.integers(1, 7), max_size=12), st.integers(0, 60), st.integers(1, 9))
def test_rows_after_a_position_are_whole_or_unknown(batches: list[int], position: int, limit: int) -> None:
    """For rows in any order of arrival, the rows after a position are complete and in order, or reported as unknown;
    the latest rows are always known.
    """
    tail, last = Tail(rows_kept=5), 0
    tail.restart("0")
    for size in batches:
        tail.extend([entry(str(number)) for number in range(last + 1, last + size + 1)])
        last += size

    rows = tail.after(str(position), limit)

    if rows is None:
        assert position < last - 5
    else:
        assert [row.position for row in rows] == _rows(position + 1, last)[:limit]


def test_what_was_before_the_beginning_is_unknown() -> None:
    """Of rows before the one that the tail began after nothing is known; after it everything."""
    tail = Tail()
    tail.restart("10-5")
    tail.extend([entry("11-0")])

    assert tail.after("10-4", 9) is None
    assert [row.position for row in tail.after("10-5", 9) or ()] == ["11-0"]


def test_latest_rows_come_newest_first() -> None:
    """The latest rows are told from the end, and no more of them than are asked for."""
    tail = Tail()
    tail.extend([entry(position) for position in _rows(1, 4)])

    assert [row.position for row in tail.latest(3)] == ["4", "3", "2"]
    assert len(tail.latest(9)) == 4


@pytest.mark.parametrize("wakes", ["rows", "restart"])
def test_who_waits_is_woken(wakes: str) -> None:
    """New rows and a restart wake all waiters; a later waiter waits for the next event."""

    async def wait() -> tuple[bool, bool, bool]:
        tail = Tail()
        first, second = tail.next_change(), tail.next_change()
        tail.extend([])
        was_woken_by_nothing = first.done()
        if wakes == "rows":
            tail.extend([entry("1")])
        else:
            tail.restart("5")
        return was_woken_by_nothing, first.done() and second.done(), tail.next_change().done()

    assert asyncio.run(wait()) == (False, True, False)


def test_many_who_wait_are_woken_a_few_at_a_time() -> None:
    """Between groups of waiters other work of the event loop has its turn; in the end all of them are woken."""

    async def wait() -> list[int]:
        tail, woken, counts = Tail(), 0, []

        async def hear() -> None:
            nonlocal woken
            await asyncio.wait([tail.next_change()])
            woken += 1

        waiting = [asyncio.ensure_future(hear()) for _ in range(105)]
        await asyncio.sleep(0)
        tail.extend([entry("1")])
        while woken < len(waiting):
            await asyncio.sleep(0)
            counts.append(woken)
        return counts

    counts = asyncio.run(wait())

    steps = [after - before for before, after in pairwise([0, *counts])]
    assert max(steps) <= 10
    assert sum(steps) == 105


def test_who_waits_again_at_once_hears_of_the_next_rows_only() -> None:
    """A waiter that was woken first and waits again is not woken by the groups behind it."""

    async def wait() -> tuple[bool, bool]:
        tail = Tail()
        first = [tail.next_change() for _ in range(25)]
        tail.extend([entry("1")])
        again = tail.next_change()
        for _ in range(10):
            await asyncio.sleep(0)
        return all(future.done() for future in first), again.done()

    assert asyncio.run(wait()) == (True, False)
