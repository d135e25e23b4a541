"""How long caches may keep an answer (the closer to transmission, the shorter), and when the mirror is stale."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from schedules_pipeline.domain.interval import Interval

_SOON = timedelta(days=1)
_WITHIN_THE_WEEK = timedelta(days=8)
_ON_AIR_SECONDS: Final = 5
_SOON_SECONDS: Final = 30
_WEEK_SECONDS: Final = 120
_LATER_SECONDS: Final = 600
_OVER_SECONDS: Final = 3_600
_STALE_IF_ERROR_SECONDS: Final = 86_400

NEVER_KEPT = "no-store"
"""For answers that no cache may keep, such as a page of the change feed."""


def seconds_fresh(window: Interval, now: datetime) -> int:
    """How many seconds a cache may use the schedule of this window without revalidating it."""
    if window.contains(now):
        return _ON_AIR_SECONDS
    if window.end <= now:
        return _OVER_SECONDS
    ahead = window.start - now
    if ahead < _SOON:
        return _SOON_SECONDS
    return _WEEK_SECONDS if ahead < _WITHIN_THE_WEEK else _LATER_SECONDS


def cache_control(seconds: int) -> str:
    """Private, because partners see different services. If the service fails, a cache may use its copy for a day."""
    return f"private, max-age={seconds}, stale-if-error={_STALE_IF_ERROR_SECONDS}"


def cache_control_of_televisions(seconds: int, *, is_public: bool, is_of_now: bool = False) -> str:
    """``is_public``: everyone gets the same answer, so caches between may share it; one that is busy or cut off may
    use its copy while it asks. ``is_of_now``: an old answer would be wrong, so none may.
    """
    if is_of_now:
        return f"{'public' if is_public else 'private'}, max-age={seconds}"
    if not is_public:
        return cache_control(seconds)
    lasts = f"max-age={seconds}, s-maxage={seconds}, stale-while-revalidate={seconds}"
    return f"public, {lasts}, stale-if-error={_STALE_IF_ERROR_SECONDS}"


@dataclass(frozen=True, slots=True)
class Staleness:
    """``marked_after``: the age of the store's last confirmation from which answers are marked as stale.
    ``served_for``: the age from which requests are answered with 503.
    """

    marked_after: timedelta
    served_for: timedelta

    def is_stale(self, confirmed_at: datetime, now: datetime) -> bool:
        return now - confirmed_at > self.marked_after

    def is_too_old(self, confirmed_at: datetime | None, now: datetime) -> bool:
        """Also true if the store was never read (None)."""
        return confirmed_at is None or now - confirmed_at > self.served_for
