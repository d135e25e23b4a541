"""Runs that Dagster has stored and then refused to launch come to an end."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from schedules_pipeline.sensors.refused_runs import LAUNCHED_WITHIN, end_refused_runs


@dg.op
def work() -> None:
    """Does nothing."""


@dg.job
def refused() -> None:
    work()


@dg.job
def foreign() -> None:
    work()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def test_a_run_that_was_never_launched_ends_and_says_why(instance: dg.DagsterInstance) -> None:
    """Once there was time enough to launch it; runs of other code, and runs at work, are left alone."""
    now = datetime.now(UTC)
    mine = instance.create_run_for_job(refused)
    others = [
        instance.create_run_for_job(foreign),
        instance.create_run_for_job(refused, status=dg.DagsterRunStatus.STARTED),
    ]

    ended = [
        end_refused_runs(instance, {"refused"}, now + after)
        for after in (LAUNCHED_WITHIN - timedelta(minutes=1), LAUNCHED_WITHIN + timedelta(minutes=1))
    ]

    run = instance.get_run_by_id(mine.run_id)
    assert ended == [0, 1]
    assert run is not None
    assert run.status is dg.DagsterRunStatus.CANCELED
    assert any("Never launched" in entry.message for entry in instance.all_logs(mine.run_id))
    assert [run.status for run in instance.get_runs(dg.RunsFilter([each.run_id for each in others]))] == [
        each.status for each in reversed(others)
    ]
