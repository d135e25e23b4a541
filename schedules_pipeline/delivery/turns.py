"""Turns at slow work: so much at once, shared fairly between partners.

Belongs here: who may begin. Does not belong here: the work, and how long it may take.
"""

from asyncio import Future, get_running_loop
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from schedules_pipeline.delivery.problems import TOO_MANY_REQUESTS, UNAVAILABLE, Problem, ProblemKind

_RETRY_SECONDS = 5


class Turns:
    """Used only in the event loop's thread. Partners that wait begin in rotation, so one with many requests delays
    another by one request at most.
    """

    def __init__(
        self, at_once: int, each_at_once: int, most_waiting: int = 200, each_most_waiting: int = 20
    ) -> None:
        """``each_…``: of one partner."""
        self._free = at_once
        self._each_at_once = each_at_once
        self._most_waiting = most_waiting
        self._each_most_waiting = each_most_waiting
        self._begun: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, partner: str, *, has_begun: bool = False) -> AsyncIterator[None]:
        """The block begins when it is this partner's turn. ``has_begun``: the answer has, so it cannot be rejected.

        Raises :class:`Problem` if too many requests wait: ``TOO_MANY_REQUESTS`` for those of this partner,
        ``UNAVAILABLE`` for those of all partners.
        """
        await self._begin(partner, has_begun=has_begun)
        try:
            yield
        finally:
            self._end(partner)

    async def _begin(self, partner: str, *, has_begun: bool) -> None:
        if self._may_begin(partner):
            self._count_in(partner)
            return
        if not has_begun:
            self._check_room(partner)
        turn: Future[None] = get_running_loop().create_future()
        self._waiting.setdefault(partner, deque()).append(turn)
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self._end(partner)
            else:
                self._forget(partner, turn)
            raise

    def _may_begin(self, partner: str) -> bool:
        return self._free > 0 and self._begun[partner] < self._each_at_once

    def _check_room(self, partner: str) -> None:
        of_partner = len(self._waiting.get(partner, ()))
        if of_partner >= self._each_most_waiting:
            detail = f"{of_partner} of your requests of this kind already wait. Send fewer at once."
            raise _rejected(TOO_MANY_REQUESTS, detail, {"violated-policies": ["rendering"]})
        # Without what waits beyond the room of its partner, to go on with an answer that has begun.
        waiting = sum(min(len(of_one), self._each_most_waiting) for of_one in self._waiting.values())
        if waiting >= self._most_waiting:
            raise _rejected(UNAVAILABLE, "Too many requests of this kind are waiting. Try again.", {})

    def _count_in(self, partner: str) -> None:
        self._free -= 1
        self._begun[partner] += 1

    def _end(self, partner: str) -> None:
        self._free += 1
        self._begun[partner] -= 1
        if not self._begun[partner]:
            del self._begun[partner]
        while (following := next(filter(self._may_begin, self._waiting), None)) is not None:
            turn = self._waiting[following][0]
            self._waiting.move_to_end(following)
            self._forget(following, turn)
            # Whoever waited may have been cancelled within this iteration of the event loop.
            if not turn.cancelled():
                self._count_in(following)
                turn.set_result(None)

    def _forget(self, partner: str, turn: Future[None]) -> None:
        waiting = self._waiting.get(partner)
        if waiting is not None and turn in waiting:
            waiting.remove(turn)
            if not waiting:
                del self._waiting[partner]


def _rejected(kind: ProblemKind, detail: str, members: dict[str, object]) -> Problem:
    return Problem(kind, detail, members, {"Retry-After": str(_RETRY_SECONDS)})
