"""A showing on its service: what is asked for across services and days, each broadcast counted once."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import NamedTuple

from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.published import PublishedSchedule, Showing


class Place(NamedTuple):
    """Where an airing stands among those of all services: by start, then by service, then by pid."""

    start: datetime
    sid: str = ""
    broadcast_pid: str = ""


class Airing(NamedTuple):
    """``key``: the schedule that lists it."""

    key: ScheduleKey
    showing: Showing

    @property
    def place(self) -> Place:
        return Place(self.showing.start, self.key.sid, self.showing.broadcast_pid)


def find_airings(schedules: Iterable[PublishedSchedule]) -> list[Airing]:
    """Every airing of these schedules, in order of place.

    A broadcast that moves from one day to the next is in two schedules of its service for a moment, and radio's
    days overlap by six hours: the schedule that was published last counts.
    """
    latest: dict[tuple[Sid, Pid], Airing] = {}
    for schedule in sorted(schedules, key=_age):
        for showing in schedule.showings:
            latest[schedule.key.sid, showing.broadcast_pid] = Airing(schedule.key, showing)
    return sorted(latest.values(), key=lambda airing: airing.place)


def _age(schedule: PublishedSchedule) -> tuple[datetime, date]:
    return schedule.published_at, schedule.key.date
