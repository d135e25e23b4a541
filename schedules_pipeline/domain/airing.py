"""Broadcasts of several services and days, each counted once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import NamedTuple

from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.published import Broadcast, PublishedSchedule


class Place(NamedTuple):
    """Where an airing stands among those of all services: by start, then by service, then by pid."""

    start: datetime
    sid: str = ""
    broadcast_pid: str = ""


class Airing(NamedTuple):
    """``key``: the schedule that lists it."""

    key: ScheduleKey
    broadcast: Broadcast

    @property
    def place(self) -> Place:
        return Place(self.broadcast.start, self.key.sid, self.broadcast.broadcast_pid)


def find_airings(schedules: Iterable[PublishedSchedule]) -> list[Airing]:
    """Every airing of these schedules, in order of place.

    A broadcast that moves from one day to the next is in two schedules of its service for a moment, and radio's
    days overlap by six hours: the schedule that was published last counts.
    """
    latest: dict[tuple[Sid, Pid], Airing] = {}
    for schedule in sorted(schedules, key=_age):
        for broadcast in schedule.broadcasts:
            latest[schedule.key.sid, broadcast.broadcast_pid] = Airing(schedule.key, broadcast)
    return sorted(latest.values(), key=lambda airing: airing.place)


def find_wanted(
    schedules: Sequence[PublishedSchedule], is_wanted: Callable[[Broadcast], bool]
) -> list[Airing]:
    """The airings that match, in order of place. If several schedules list a broadcast, the one that was published
    last must match too, so ``schedules`` includes those of the days before and after.
    """
    pids = {
        broadcast.broadcast_pid
        for listed in schedules
        for broadcast in listed.broadcasts
        if is_wanted(broadcast)
    }
    reduced = (
        replace(listed, broadcasts=tuple(s for s in listed.broadcasts if s.broadcast_pid in pids))
        for listed in schedules
    )
    return [airing for airing in find_airings(reduced) if is_wanted(airing.broadcast)]


def _age(schedule: PublishedSchedule) -> tuple[datetime, date]:
    return schedule.published_at, schedule.key.date
