"""The guide of a player: all services of a partner on many days, in one XMLTV file, which many players ask for often.

In a large broadcaster some schedule changes every second, and each change makes another file. So an answer is fixed
for a minute or longer (:func:`seconds_fixed`). It is rendered service by service, so a change costs the rendering of
one service, and all partners who see a service share it.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Final

from schedules_pipeline.delivery.freshness import cache_control_of_televisions
from schedules_pipeline.delivery.representations import Representation
from schedules_pipeline.delivery.selections import represent_windows
from schedules_pipeline.delivery.service import Delivery
from schedules_pipeline.domain.day_cut import DayCut, NamedCut, Straddling
from schedules_pipeline.domain.identifiers import Sid

_LEAST_SECONDS, _MOST_SECONDS = 60, 300
_SCHEDULES_FOR_A_SECOND: Final = 5

DAYS: Final = 14
_FORMAT = "xmltv"
_MOST_FIXED = 32
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
    """The answers that are fixed at present. Used only in the event loop's thread."""

    _fixed: OrderedDict[_Asked, tuple[datetime, Representation]] = field(default_factory=OrderedDict)

    def find_or(
        self, asked: _Asked, now: datetime, represent: Callable[[], Representation]
    ) -> Representation:
        for over in [one for one, (until, _) in self._fixed.items() if until <= now]:
            del self._fixed[over]
        if asked not in self._fixed:
            lasts = timedelta(seconds=seconds_fixed(len(asked[0]) * asked[1].count))
            self._fixed[asked] = now + lasts, represent()
            while len(self._fixed) > _MOST_FIXED:
                self._fixed.popitem(last=False)
        return self._fixed[asked][1]


def represent_player_guide(
    delivery: Delivery, sids: tuple[Sid, ...], days: PlayerDays, *, is_public: bool
) -> Representation:
    """An empty guide if nothing is published.

    ``Last-Modified`` is the latest publication, or the midnight since which these are the days, whichever is later. It
    is left out for some seconds after that, because another publication in the same second would not change it.
    """
    now, cut = delivery.clock(), DayCut(NamedCut.BROADCAST)
    windows = [cut.guide_window(delivery.calendar, sid, days.first, days.last) for sid in sids]
    offer = next(one for one in delivery.formats if one.name == _FORMAT)
    found = represent_windows(delivery, windows, Straddling.STARTS, offer, now)
    midnight = delivery.calendar.instant(now.astimezone(delivery.calendar.zone).date(), time(0))
    modified_at = max(found.last_modified or midnight, midnight)
    return replace(
        found,
        cache_control=cache_control_of_televisions(
            seconds_fixed(len(sids) * days.count), is_public=is_public
        ),
        last_modified=modified_at if now - modified_at >= _SETTLED else None,
        vary="Accept-Encoding",
        is_dated=True,
    )
