"""The current and next broadcasts of each service."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from schedules_pipeline.delivery.mirror import Mirror, MirroredSchedule
from schedules_pipeline.documents.broadcasts import broadcast_fields
from schedules_pipeline.domain.airing import find_airings
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.published import Broadcast, PublishedSchedule

MOST_SERVICES = 500
MOST_COMING = 10
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


class NowNextBoard:
    """Remembers the result of each service until its boundary, or a new version of a schedule.

    Thread-safe: two threads that miss at once both compute the same result.
    """

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._found: dict[Sid, _Found] = {}

    def find(self, sid: Sid, at: datetime, count: int) -> NowNext:
        """``count``: at most :data:`MOST_COMING`."""
        versions = tuple(self._mirror.held(key) for key in keys_around(sid, at))
        found = self._found.get(sid)
        if found is None or found.versions != versions or not found.holds(at):
            schedules = (self._mirror.schedule(key) for key in keys_around(sid, at))
            listed = [schedule for schedule in schedules if schedule is not None]
            found = self._found[sid] = _Found(versions, at, find_now_next(listed, at, MOST_COMING))
        return replace(found.result, coming=found.result.coming[:count])


@dataclass(frozen=True, slots=True)
class _Found:
    """``result`` is valid from ``since`` until its boundary, for these versions."""

    versions: tuple[MirroredSchedule | None, ...]
    since: datetime
    result: NowNext

    def holds(self, at: datetime) -> bool:
        return self.since <= at and (self.result.until is None or at < self.result.until)


def now_next_fields(sid: Sid, name: str, found: NowNext) -> dict[str, Any]:
    """The fields of one service in the answer."""
    return {
        "sid": sid,
        "name": name,
        "now": None if found.now is None else broadcast_fields(found.now),
        "next": [broadcast_fields(broadcast) for broadcast in found.coming],
        "until": found.until,
    }
