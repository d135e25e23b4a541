"""A partner's day: where it begins, and the guide of a service for it. Broadcast days and local time are in
:mod:`~schedules_pipeline.domain.broadcast_day`; formats are in ``documents``.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum, StrEnum
from itertools import pairwise
from typing import NamedTuple, Self

from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.domain.interval import Interval
from schedules_pipeline.domain.published import Broadcast, PublishedSchedule
from schedules_pipeline.domain.service_guide import DayVersion, ServiceGuide
from schedules_pipeline.errors import InvalidIdentifier

_DAY = timedelta(days=1)
_LOCAL_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)


class NamedCut(Enum):
    """The cuts that go by a name. ``BROADCAST``: the service's broadcast day. ``UTC``: from midnight UTC."""

    BROADCAST = "broadcast"
    UTC = "utc"


class Straddling(StrEnum):
    """Which window lists a broadcast that runs across an edge.

    ``STARTS``: it belongs to the window that it starts in. ``OVERLAPS``: to every window that it runs in.
    """

    STARTS = "starts"
    OVERLAPS = "overlaps"


class GuideWindow(NamedTuple):
    """One or more of a partner's days in a row, of one service. ``keys``: the schedules that may list its broadcasts.

    ``is_as_listed``: the guide has every broadcast of these schedules, also those outside the window.
    ``named``: those of them whose versions the guide names.
    """

    sid: Sid
    window: Interval
    keys: tuple[ScheduleKey, ...]
    is_as_listed: bool
    named: tuple[ScheduleKey, ...]


@dataclass(frozen=True, slots=True)
class DayCut:
    """Where a partner's days begin: as the broadcast day does, at midnight UTC, or at a local time of their own.

    A local time that the clocks skip is the instant at which it would have come without the change (01:30 in London
    becomes 02:30). Of a local time that comes twice, the first counts. So every window except radio's broadcast day
    ends when the next begins; a day that a zone left out has an empty window.
    """

    begins: NamedCut | time

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``broadcast``, ``utc`` or ``HH:MM``; raise :class:`InvalidIdentifier` for anything else."""
        if _LOCAL_TIME.fullmatch(text):
            return cls(time.fromisoformat(text))
        try:
            return cls(NamedCut(text))
        except ValueError:
            raise InvalidIdentifier(
                f"not a day cut: {text[:40]!r} (broadcast, utc, or a local time as 05:30)"
            ) from None

    def __str__(self) -> str:
        return self.begins.value if isinstance(self.begins, NamedCut) else f"{self.begins:%H:%M}"

    def window(self, calendar: BroadcastCalendar, sid: Sid, day: date) -> Interval:
        """The partner's day, as UTC instants."""
        if self.begins is NamedCut.BROADCAST:
            return calendar.window(ScheduleKey(sid, day))
        return Interval(self._start(calendar, day), self._start(calendar, day + _DAY))

    def keys_touching(self, calendar: BroadcastCalendar, sid: Sid, day: date) -> tuple[ScheduleKey, ...]:
        """The schedules in which the broadcasts of that window can be, by date.

        For ``broadcast`` the schedule of that name. For the others those whose broadcast day touches the window,
        two before them and one after: 4 to 6. So what began up to a broadcast day before the window is found, and of a
        broadcast that is in two adjacent schedules, as one that has just been moved, both are seen.
        """
        if self.begins is NamedCut.BROADCAST:
            return (ScheduleKey(sid, day),)
        window = self.window(calendar, sid, day)
        around = [ScheduleKey(sid, day + offset * _DAY) for offset in (-1, 0, 1)]
        touching = [key.date for key in around if calendar.window(key).overlaps(window)] or [day]
        return _between(sid, touching[0] - 2 * _DAY, touching[-1] + _DAY)

    def guide_window(
        self, calendar: BroadcastCalendar, sid: Sid, first: date, last: date | None = None
    ) -> GuideWindow:
        """The days from ``first`` to ``last``, both included; the first alone where no last is given."""
        last = last or first
        start, end = self.window(calendar, sid, first).start, self.window(calendar, sid, last).end
        keys = _between(
            sid,
            self.keys_touching(calendar, sid, first)[0].date,
            self.keys_touching(calendar, sid, last)[-1].date,
        )
        return GuideWindow(sid, Interval(start, end), keys, self.begins is NamedCut.BROADCAST, keys)

    def _start(self, calendar: BroadcastCalendar, day: date) -> datetime:
        if isinstance(self.begins, time):
            return calendar.instant(day, self.begins)
        return datetime.combine(day, time(0), tzinfo=UTC)


def window_between(calendar: BroadcastCalendar, sid: Sid, window: Interval) -> GuideWindow:
    """Any window of a service, with the schedules around it as :meth:`DayCut.keys_touching` chooses them."""
    first, last = window.start.date() - _DAY, window.end.date() + _DAY
    around = _between(sid, first, last)
    touching = [key.date for key in around if calendar.window(key).overlaps(window)] or [window.start.date()]
    keys = _between(sid, touching[0] - 2 * _DAY, touching[-1] + _DAY)
    return GuideWindow(sid, window, keys, False, keys)


def days_apart(calendar: BroadcastCalendar, sid: Sid, first: date, last: date) -> list[GuideWindow]:
    """A window for each day from ``first`` to ``last``, both included, from where the broadcast day begins to where the
    next one does: a broadcast is in one of them, and the guide of a day is the same among any others. The schedules
    of two days before and one after are read too, as :meth:`DayCut.keys_touching` says.
    """
    keys = _between(sid, first - 2 * _DAY, last + _DAY)
    windows = pairwise(calendar.window(key).start for key in keys[2:])
    return [
        GuideWindow(sid, Interval(*window), keys[number : number + 4], False, (keys[number + 2],))
        for number, window in enumerate(windows)
    ]


def cut_guide(
    guide_window: GuideWindow,
    name: str,
    schedules: Iterable[PublishedSchedule],
    removed: Iterable[tuple[int, datetime]] = (),
    straddling: Straddling = Straddling.STARTS,
) -> ServiceGuide:
    """The guide of a service for that window. ``name``: the service's name for people.

    ``schedules``: those of ``guide_window.keys`` that are published; ``removed``: the sequence number and instant of
    each of them that was removed. Of a broadcast that is in several, the one in the schedule that was published
    last counts, then the one of the later date; only then is asked whether it is within the window.
    """
    schedules = list(schedules)
    broadcasts = [
        broadcast
        for broadcast in _each_once(schedules)
        if guide_window.is_as_listed or _belongs(broadcast.interval, guide_window.window, straddling)
    ]
    versions = [*((schedule.seq, schedule.published_at) for schedule in schedules), *removed]
    return ServiceGuide(
        guide_window.sid,
        name,
        guide_window.window,
        tuple(sorted(broadcasts, key=lambda broadcast: (broadcast.start, broadcast.broadcast_pid))),
        sum(seq for seq, _ in versions),
        max((published_at for _, published_at in versions), default=None),
        tuple(
            sorted(
                DayVersion(one.key.date, one.seq, one.etag)
                for one in schedules
                if one.key in guide_window.named
            )
        ),
    )


def _between(sid: Sid, first: date, last: date) -> tuple[ScheduleKey, ...]:
    return tuple(ScheduleKey(sid, first + number * _DAY) for number in range((last - first).days + 1))


def _each_once(schedules: list[PublishedSchedule]) -> Iterable[Broadcast]:
    latest: dict[Pid, Broadcast] = {}
    for schedule in sorted(schedules, key=lambda schedule: (schedule.published_at, schedule.key.date)):
        latest |= {broadcast.broadcast_pid: broadcast for broadcast in schedule.broadcasts}
    return latest.values()


def _belongs(broadcast: Interval, window: Interval, straddling: Straddling) -> bool:
    if straddling is Straddling.STARTS:
        return window.contains(broadcast.start)
    return broadcast.overlaps(window)
