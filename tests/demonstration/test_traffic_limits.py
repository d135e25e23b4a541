"""Inputs at the edge of what the traffic can work with."""

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from random import Random

import pytest

from demo.sample import Sample, make_sample
from demo.traffic import Traffic

_NOW = datetime(2026, 11, 6, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def sample() -> Sample:
    """Two weeks that have begun some days before now."""
    return make_sample(date(2026, 11, 2))


def test_traffic_rejects_an_instant_without_a_zone(sample: Sample) -> None:
    """A naive instant is an error of the caller."""
    traffic = Traffic(sample, Random(1))

    with pytest.raises(ValueError, match="has no time zone"):
        traffic.next_change(_NOW.replace(tzinfo=None))


def test_traffic_rejects_a_sample_without_anything() -> None:
    """A sample that allows no change is an error instead of an endless search."""
    traffic = Traffic(Sample({}, {}), Random(1))

    with pytest.raises(LookupError):
        traffic.next_change(_NOW)


def test_traffic_goes_on_when_the_sample_lies_in_the_past(sample: Sample) -> None:
    """A demonstration that outlives its sample still has changes."""
    traffic = Traffic(sample, Random(1))

    changes = list(islice(traffic.changes(lambda: _NOW + timedelta(days=90)), 50))

    assert len(changes) == 50
