"""The guide of a player: all services of a partner on many days, in one XMLTV file, which many players ask for often.

In a large broadcaster some schedule changes every second, and each change makes another file. So an answer is fixed
for a minute or longer (:func:`seconds_fixed`). Each day of a service is a piece of its own, so a change costs the
rendering of the days around it, midnight that of one more day, and all partners who see a service share its days.
"""

from asyncio import sleep
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Final

from schedules_pipeline.delivery.freshness import cache_control_of_televisions
from schedules_pipeline.delivery.mirror import MirroredSchedule
from schedules_pipeline.delivery.representations import Representation
from schedules_pipeline.delivery.selections import ServiceDays, join_days, represent_days
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.documents.guide_formats import GuideFormat
from schedules_pipeline.domain.identifiers import Sid

_LEAST_SECONDS, _MOST_SECONDS = 60, 300
_SCHEDULES_FOR_A_SECOND: Final = 5

DAYS: Final = 14
_FORMAT = "xmltv"
_MOST_SCHEDULES_FIXED: Final = 60_000
"""In answers for different services or days: some kilobyte each, unless they share them."""
_MOST_SERVICES: Final = 5_000
_SETTLED: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class PlayerDays:
    """Broadcast days from ``first`` to ``last``, both included."""

    first: date
    last: date

    @classmethod
    def around(cls, today: date) -> "PlayerDays":
        """From yesterday, whose broadcast day runs until the morning, until 14 days from today on are complete."""
        return cls(today - timedelta(days=1), today + timedelta(days=DAYS - 1))

    @property
    def count(self) -> int:
        return (self.last - self.first).days + 1


def seconds_fixed(schedules: int) -> int:
    """How long an answer of so many schedules is fixed. After that, the services that changed are rendered again."""
    return min(_MOST_SECONDS, max(_LEAST_SECONDS, schedules // _SCHEDULES_FOR_A_SECOND))


_Asked = tuple[tuple[Sid, ...], PlayerDays, bool]
"""The services, the days, and whether caches may share the answer."""


@dataclass(slots=True)
class PlayerGuides:
    """The answers that are fixed at present, and the days of services that they are made of, which are the same until a
    schedule of the service changes. Used only in the event loop's thread.
    """

    _fixed: OrderedDict[_Asked, tuple[datetime, Representation]] = field(default_factory=OrderedDict)
    _services: OrderedDict[tuple[Sid, PlayerDays], tuple[Mapping[date, MirroredSchedule], ServiceDays]] = (
        field(default_factory=OrderedDict)
    )
    _in_the_making: list[PlayerDays] = field(default_factory=list)
    """The days of answers whose services are being found, once for each answer."""

    def find(self, asked: _Asked, now: datetime) -> Representation | None:
        until, representation = self._fixed.get(asked, (now, None))
        return representation if now < until else None

    async def fix(self, asked: _Asked, delivery: Delivery) -> Representation:
        """What is found from then on for a minute or longer. An empty guide if nothing is published. Other requests are
        answered between the services that have changed.
        """
        self._in_the_making.append(asked[1])
        try:
            for sid in asked[0]:
                if self._remembered(delivery, sid, asked[1]) is None:
                    self._service(delivery, sid, asked[1])
                    await sleep(0)
            return self._fix(asked, delivery)
        finally:
            self._in_the_making.remove(asked[1])

    def _fix(self, asked: _Asked, delivery: Delivery) -> Representation:
        now = delivery.clock()
        if (found := self.find(asked, now)) is not None:
            return found
        for over in [one for one, (until, _) in self._fixed.items() if until <= now]:
            del self._fixed[over]
        lasts = timedelta(seconds=seconds_fixed(len(asked[0]) * asked[1].count))
        representation = self._represent(asked, delivery, now)
        self._fixed[asked] = now + lasts, representation
        self._forget()
        return representation

    def _forget(self) -> None:
        """Keep the latest answers, as many as memory allows, and only the days of services that are asked for: others
        would keep replaced versions in memory.
        """
        while len(self._fixed) > 1 and self._schedules_fixed() > _MOST_SCHEDULES_FIXED:
            self._fixed.popitem(last=False)
        asked_for = {days for _, days, _ in self._fixed} | set(self._in_the_making)
        for service in [one for one in self._services if one[1] not in asked_for]:
            del self._services[service]

    def _schedules_fixed(self) -> int:
        return sum(len(sids) * days.count for sids, days in {asked[:2] for asked in self._fixed})

    def _represent(self, asked: _Asked, delivery: Delivery, now: datetime) -> Representation:
        """``Last-Modified`` is the latest publication, or the midnight since which these are the days, whichever is
        later. It is left out for some seconds after that, because another publication in the same second would not
        change it.
        """
        sids, days, is_public = asked
        found = join_days(delivery, [self._service(delivery, sid, days) for sid in sids], _format(delivery))
        midnight = delivery.calendar.instant(now.astimezone(delivery.calendar.zone).date(), time(0))
        modified_at = max(found.last_modified or midnight, midnight)
        lasts = seconds_fixed(len(sids) * days.count)
        return replace(
            found,
            cache_control=cache_control_of_televisions(lasts, is_public=is_public),
            last_modified=modified_at if now - modified_at >= _SETTLED else None,
            vary="Accept-Encoding",
            is_dated=True,
        )

    def _service(self, delivery: Delivery, sid: Sid, days: PlayerDays) -> ServiceDays:
        if (found := self._remembered(delivery, sid, days)) is None:
            found = represent_days(delivery, sid, days.first, days.last, _format(delivery))
            self._services[sid, days] = delivery.mirror.of_service(sid), found
            while len(self._services) > _MOST_SERVICES:
                self._services.popitem(last=False)
        self._services.move_to_end((sid, days))
        return found

    def _remembered(self, delivery: Delivery, sid: Sid, days: PlayerDays) -> ServiceDays | None:
        """None if a schedule of the service has changed since."""
        held, found = self._services.get((sid, days), (None, None))
        return found if held is delivery.mirror.of_service(sid) else None


def _format(delivery: Delivery) -> GuideFormat:
    return next(one for one in delivery.formats if one.name == _FORMAT)
