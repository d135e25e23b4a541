"""When Redis will be full: predicted from enough samples, and not moved by a peak."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedules_pipeline.health.growth import (
    SAMPLED_EVERY,
    MemorySample,
    hours_until_full,
    is_due,
    sample_memory,
)
from schedules_pipeline.maintenance.servers import Lineage, RedisServerFacts

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_MEGABYTE = 1_000_000
_LIMIT = 1_000 * _MEGABYTE


def _day(used: Callable[[int], float], limit: int = _LIMIT, count: int = 96) -> list[MemorySample]:
    """Samples of a day, latest first; ``used`` is given the number of the sample, 0 for the oldest."""
    return [MemorySample(_NOW - SAMPLED_EVERY * n, int(used(count - 1 - n)), limit) for n in range(count)]


def test_steady_growth_is_extrapolated_to_the_limit() -> None:
    """Four megabytes an hour reach the limit from 595 in a hundred hours."""
    samples = _day(lambda number: (505 + number) * _MEGABYTE)

    assert hours_until_full(samples) == pytest.approx(100)


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param([], id="none"),
        pytest.param(_day(lambda n: n * _MEGABYTE, count=11), id="too few"),
        pytest.param(
            [MemorySample(_NOW - timedelta(minutes=n), (600 - n) * _MEGABYTE, _LIMIT) for n in range(96)],
            id="too short",
        ),
        pytest.param(_day(lambda n: n * _MEGABYTE, limit=0), id="no limit"),
        pytest.param(_day(lambda _: 500 * _MEGABYTE), id="flat"),
        pytest.param(_day(lambda n: (500 - n) * _MEGABYTE), id="shrinking"),
        pytest.param([MemorySample(_NOW, 1, _LIMIT)] * 96, id="all of one moment"),
    ],
)
def test_there_is_no_prediction_without_growth_and_enough_samples(samples: list[MemorySample]) -> None:
    """A server that was just started, or that does not grow, is not reported."""
    assert hours_until_full(samples) is None


@given(st.sets(st.integers(0, 95), max_size=20), st.sampled_from([0.0, 0.5, 1.9]))
def test_peaks_do_not_move_the_prediction_much(peaks: set[int], height: float) -> None:
    """A rewrite of the append-only file doubles some samples; the prediction stays within a half of the true one."""

    def used(number: int) -> float:
        return (500 + number) * _MEGABYTE * (1 + height if number in peaks and number < 95 else 1)

    predicted = hours_until_full(_day(used))

    assert predicted == pytest.approx(101.25, rel=0.5)


def test_a_full_server_is_full_now() -> None:
    """Beyond the limit there are no hours left, rather than fewer than none."""
    assert hours_until_full(_day(lambda n: _LIMIT + n)) == 0


def test_a_sample_is_of_the_server_that_is_nearest_to_its_limit() -> None:
    """A cluster is full when one of its servers is; without a limit a server is never full."""
    lineage = Lineage("run 1", "history 1", 0)
    servers = [
        RedisServerFacts(address, "7", "master", lineage, used_memory=used, maxmemory=limit)
        for address, used, limit in (("a:1", 600, 1_000), ("b:1", 90, 100), ("c:1", 900, 0))
    ]

    assert sample_memory(servers, _NOW) == MemorySample(_NOW, 90, 100)
    assert sample_memory([], _NOW) is None


def test_a_sample_is_due_every_quarter_of_an_hour() -> None:
    """The first is due at once."""
    taken = [MemorySample(_NOW, 1, 2)]

    assert is_due([], _NOW)
    assert not is_due(taken, _NOW + timedelta(minutes=14))
    assert is_due(taken, _NOW + timedelta(minutes=15))
