"""When Redis will be full, predicted from samples of its memory. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from statistics import median

SAMPLES_KEPT = 96
SAMPLED_EVERY = timedelta(minutes=15)
"""96 samples are a day, so the daily collection is in every full window."""

_FEWEST = 12
_SHORTEST = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class MemorySample:
    """The memory of the fullest server in bytes. ``limit``: its ``maxmemory``; 0 if it has none."""

    at: datetime
    used: int
    limit: int


def is_due(samples: Sequence[MemorySample], now: datetime) -> bool:
    """Whether to take another sample. ``samples``: latest first."""
    return not samples or now - samples[0].at >= SAMPLED_EVERY


def hours_until_full(samples: Sequence[MemorySample]) -> float | None:
    """The hours from the latest sample until the memory reaches the limit, at the growth of the window.

    The growth is the median of the slopes between all pairs of samples (Theil and Sen), so that a rewrite of the
    append-only file, a coldstart or a collection does not move it. None if the memory does not grow, if there is no
    limit, or if there are fewer than 12 samples or 6 hours of them. ``samples``: latest first.
    """
    if len(samples) < _FEWEST or samples[0].at - samples[-1].at < _SHORTEST or not samples[0].limit:
        return None
    slopes = [
        (later.used - earlier.used) / hours
        for later, earlier in combinations(samples, 2)
        if (hours := (later.at - earlier.at) / timedelta(hours=1)) > 0
    ]
    growth = median(slopes) if slopes else 0
    return max(0, samples[0].limit - samples[0].used) / growth if growth > 0 else None
