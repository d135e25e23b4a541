"""When Redis will be full, predicted from samples of its memory. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from math import inf
from statistics import median

from schedules_pipeline.maintenance.servers import RedisServerFacts

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


def sample_memory(servers: Sequence[RedisServerFacts], now: datetime) -> MemorySample | None:
    """The sample of the server that is nearest to its limit; None if no server is known."""
    fullest = max(servers, key=lambda s: s.used_memory / (s.maxmemory or inf), default=None)
    return MemorySample(now, fullest.used_memory, fullest.maxmemory) if fullest else None


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
