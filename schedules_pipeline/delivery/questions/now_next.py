"""The current and next broadcasts of each service."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from schedules_pipeline.delivery.mirror import Extract, Mirror
from schedules_pipeline.delivery.representations import Rendered, rendered
from schedules_pipeline.documents.broadcasts import broadcast_fields, render_json
from schedules_pipeline.domain.airing import find_airings
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.published import Broadcast, PublishedSchedule

MOST_SERVICES = 500
MOST_COMING = 10
_BOARDS_REMEMBERED = 200
FRESH_FOR = timedelta(seconds=60)
"""How long caches may keep an answer, and so how long a change may stay invisible."""


@dataclass(frozen=True, slots=True)
class NowNext:
    """``now``: None in a gap. ``until``: the next start or end; None if no later broadcast is known."""

    now: Broadcast | None
    coming: tuple[Broadcast, ...]
    until: datetime | None


def keys_around(sid: Sid, at: datetime) -> tuple[ScheduleKey, ...]:
    """The schedules that may list the current and the next broadcasts."""
    return ScheduleKey(sid, at.date()).with_neighbours


def find_now_next(schedules: Iterable[PublishedSchedule], at: datetime, count: int) -> NowNext:
    """Of the schedules of one service around an instant. Where broadcasts overlap, the one that began last is on."""
    broadcasts = [airing.broadcast for airing in find_airings(schedules)]
    on_air = [broadcast for broadcast in broadcasts if broadcast.interval.contains(at)]
    coming = [broadcast for broadcast in broadcasts if broadcast.start > at]
    boundaries = [broadcast.end for broadcast in on_air] + [broadcast.start for broadcast in coming[:1]]
    return NowNext(
        on_air[-1] if on_air else None, tuple(coming[:count]), min(boundaries) if boundaries else None
    )


def first_boundary(found: Iterable[NowNext]) -> datetime | None:
    """The earliest ``until``; None if no result has one."""
    return min((one.until for one in found if one.until is not None), default=None)


def fresh_seconds(at: datetime, until: datetime | None) -> int:
    """For how many whole seconds a cache may keep the answer."""
    left = FRESH_FOR if until is None else min(until - at, FRESH_FOR)
    return int(left.total_seconds())


class Board(NamedTuple):
    """An answer, valid from ``since`` until ``until``, or until a schedule changes. ``until`` None: for ``since`` only,
    because later broadcasts may be in schedules that were not read.
    """

    since: datetime
    until: datetime | None
    answer: Rendered

    def holds(self, at: datetime) -> bool:
        return at == self.since if self.until is None else self.since <= at < self.until


def render_board(services: Sequence[tuple[Sid, str]], extract: Extract, at: datetime, count: int) -> Board:
    """``services``: with their names. ``extract``: the schedules of :func:`keys_around` of each."""
    found = {sid: find_now_next(_around(extract, sid, at), at, count) for sid, _ in services}
    fields = [now_next_fields(sid, name, found[sid]) for sid, name in services]
    return Board(at, first_boundary(found.values()), rendered(render_json({"services": fields})))


def _around(extract: Extract, sid: Sid, at: datetime) -> list[PublishedSchedule]:
    schedules = map(extract.schedule, keys_around(sid, at))
    return [schedule for schedule in schedules if schedule is not None]


class Boards:
    """Remembers answers while the mirror does not change."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._generation = -1
        self._boards: dict[tuple[tuple[Sid, ...], int], Board] = {}

    def find(self, sids: Sequence[Sid], count: int, at: datetime) -> Board | None:
        if self._generation != self._mirror.generation:
            return None
        board = self._boards.get((tuple(sids), count))
        return board if board is not None and board.holds(at) else None

    def put(self, sids: Sequence[Sid], count: int, board: Board, generation: int) -> None:
        """``generation``: of the mirror when the board's schedules were taken from it."""
        if generation != self._generation or len(self._boards) >= _BOARDS_REMEMBERED:
            self._generation, self._boards = generation, {}
        self._boards[tuple(sids), count] = board


def now_next_fields(sid: Sid, name: str, found: NowNext) -> dict[str, Any]:
    """The fields of one service in the answer."""
    return {
        "sid": sid,
        "name": name,
        "now": None if found.now is None else broadcast_fields(found.now),
        "next": [broadcast_fields(broadcast) for broadcast in found.coming],
        "until": found.until,
    }
