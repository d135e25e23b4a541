"""How many publishers a backlog wants."""

from datetime import UTC, datetime, timedelta

import pytest

from schedules_pipeline.publishing.ports.presence import Publishers
from schedules_pipeline.publishing.ports.work import Backlog
from schedules_pipeline.publishing.scale_publishers import (
    ScalePolicy,
    is_surplus,
    publishers_missing,
    publishers_wanted,
)

_NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)
_POLICY = ScalePolicy(most=4, schedules_each=100, overdue_each=timedelta(seconds=10))
_ONE, _TWO = Publishers(("a",)), Publishers(("a", "b"))


def _backlog(pending: int = 0, overdue: float = 0, in_progress: int = 0, waiting: int = 0) -> Backlog:
    oldest = _NOW - timedelta(seconds=overdue) if pending else None
    return Backlog(pending, in_progress, waiting, 0, oldest)


@pytest.mark.parametrize(
    ("backlog", "publishers", "wanted"),
    [
        pytest.param(_backlog(), Publishers(), 0, id="nothing to do"),
        pytest.param(_backlog(), _ONE, 0, id="nothing to do any more"),
        pytest.param(_backlog(1), Publishers(), 1, id="one schedule"),
        pytest.param(_backlog(in_progress=3), Publishers(), 1, id="claimed by one that died"),
        pytest.param(_backlog(waiting=3), Publishers(), 1, id="waiting for a retry"),
        pytest.param(_backlog(99), _ONE, 1, id="few"),
        pytest.param(_backlog(100), Publishers(), 2, id="many"),
        pytest.param(_backlog(250), _ONE, 3, id="more"),
        pytest.param(_backlog(10**6), _ONE, 4, id="no more than the limit"),
        pytest.param(_backlog(1, overdue=9.9), _ONE, 1, id="not old yet"),
        pytest.param(_backlog(1, overdue=10), _ONE, 2, id="old"),
        pytest.param(_backlog(1, overdue=25), _TWO, 3, id="older"),
        pytest.param(_backlog(1, overdue=3600), Publishers(), 1, id="old because no publisher ran"),
        pytest.param(_backlog(1, overdue=-60), _ONE, 1, id="not due yet"),
        pytest.param(_backlog(), Publishers((), ("a",)), 1, id="a successor for one that leaves"),
    ],
)
def test_size_and_age_of_the_backlog_decide(backlog: Backlog, publishers: Publishers, wanted: int) -> None:
    """Another publisher for every so many schedules or every so many seconds, up to the limit."""
    assert publishers_wanted(backlog, publishers, _POLICY, _NOW) == wanted


@pytest.mark.parametrize(
    ("wanted", "publishers", "not_started", "missing"),
    [
        pytest.param(1, Publishers(), 0, 1, id="none is there"),
        pytest.param(3, _ONE, 0, 2, id="some are there"),
        pytest.param(1, _TWO, 0, 0, id="more than enough"),
        pytest.param(2, Publishers(("a",), starting=1), 0, 0, id="asked for"),
        pytest.param(2, _ONE, 1, 0, id="waiting in Dagster's queue"),
        pytest.param(2, Publishers(("a",), starting=1), 1, 0, id="asked for and in the queue"),
        pytest.param(1, Publishers((), ("a",)), 0, 1, id="one that leaves does not count"),
    ],
)
def test_only_those_that_are_missing_are_asked_for(
    wanted: int, publishers: Publishers, not_started: int, missing: int
) -> None:
    """Those on their way count, whether the store or Dagster knows of them."""
    assert publishers_missing(wanted, publishers, not_started) == missing


def test_those_that_have_run_shortest_are_surplus() -> None:
    """The one that has run longest never is, so one stays while nothing is to do."""
    publishers = Publishers(("a", "b", "c"))

    surplus = [[name for name in "abcd" if is_surplus(name, wanted, publishers)] for wanted in range(4)]

    assert surplus == [["b", "c"], ["b", "c"], ["c"], []]
