"""The guide of a player: all services of a partner on many days, in one XMLTV file, which many players ask for often.

In a large broadcaster some schedule changes every second, and each change makes another file. So an answer is fixed for
:data:`FIXED_SECONDS`: as long as it lasts, it is rendered and compressed once for all partners with the same services.
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

FIXED_SECONDS: Final = 60
MOST_SCHEDULES: Final = 8_000
"""In one file. More than that would take longer to render than a task may."""

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


_Asked = tuple[tuple[Sid, ...], PlayerDays, bool]
"""The services, the days, and whether caches may share the answer."""


@dataclass(slots=True)
class PlayerGuides:
    """The answers that are fixed at present. Used only in the event loop's thread."""

    _fixed: OrderedDict[_Asked, tuple[datetime, Representation]] = field(default_factory=OrderedDict)

    def find_or(
        self, asked: _Asked, now: datetime, represent: Callable[[], Representation]
    ) -> Representation:
        while self._fixed and next(iter(self._fixed.values()))[0] <= now:
            self._fixed.popitem(last=False)
        if asked not in self._fixed:
            self._fixed[asked] = now + timedelta(seconds=FIXED_SECONDS), represent()
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
        cache_control=cache_control_of_televisions(FIXED_SECONDS, is_public=is_public),
        last_modified=modified_at if now - modified_at >= _SETTLED else None,
        vary="Accept-Encoding",
        is_dated=True,
    )
