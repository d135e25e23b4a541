"""What pruning deletes of Dagster's own records, on a real instance in SQLite files."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pruning_stage import KEYS, Stage, limit_values, on_connect, open_stage

from schedules_pipeline.assets import names
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.event_batches import EventBatch
from schedules_pipeline.partitions import partition_key
from schedules_pipeline.pruning import FinishedRun, PruneCount, plan_pruning


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with open_stage(tmp_path) as stage:
        yield stage


def test_young_runs_stay(stage: Stage) -> None:
    """A run that ended within the retention period is not deleted."""
    stage.clock.advance(-timedelta(days=2))
    run = stage.record(*KEYS)
    stage.idle()

    pruned = stage.prune()

    assert pruned[PruneCount.RUNS_DELETED] == 0
    assert run in stage.runs()


@pytest.mark.parametrize(
    "status",
    [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.CANCELING],
)
def test_unfinished_runs_stay_however_old(stage: Stage, status: dg.DagsterRunStatus) -> None:
    """A run that may still be working is never deleted."""
    run = dg.DagsterRun(job_name="publish_affected", run_id=dg._core.utils.make_new_run_id(), status=status)
    stage.instance.add_run(run)
    stage.idle()
    stage.idle()

    stage.prune()

    assert run.run_id in stage.runs()


def test_the_latest_finished_run_of_each_job_stays(stage: Stage) -> None:
    """Each job keeps its latest finished run, however old."""
    stage.idle("coldstart")
    kept = {stage.idle("coldstart"), stage.idle("reconcile")}

    stage.prune()

    assert kept <= stage.runs()
    assert len(stage.runs()) == 3


def test_only_the_latest_evaluation_of_a_check_stays(stage: Stage) -> None:
    """Old evaluations are deleted, except for the latest of each partition."""
    for _ in range(3):
        stage.record(*KEYS)
    stage.idle()

    pruned = stage.prune()

    assert pruned[PruneCount.EVALUATIONS_DELETED] == 6
    assert len(stage.history()) == 3


def test_files_of_deleted_runs_are_gone(stage: Stage) -> None:
    """A run's event file and output folder are deleted with the run."""
    run = stage.record(*KEYS)
    stage.idle()
    named = [path for path in stage.directory.rglob("*") if run in path.name]

    stage.prune()

    assert named
    assert not [path for path in stage.directory.rglob("*") if run in path.name]


def test_a_run_with_more_events_than_a_statement_takes_is_deleted(stage: Stage) -> None:
    """A run with more events than the database accepts values in one statement can be deleted."""

    def op(context: dg.OpExecutionContext) -> None:
        for _ in range(15):
            for key in KEYS:
                context.log_event(
                    dg.AssetMaterialization(names.PARTNER_SCHEDULE, partition=partition_key(key))
                )

    run = stage.run(op)
    stage.idle()

    with on_connect(limit_values):
        stage.prune()

    assert run not in stage.runs()
    assert stage.latest(KEYS[0]) is not None


def test_old_tick_logs_are_gone_and_young_ones_stay(stage: Stage) -> None:
    """Captured output of ticks is deleted after the retention period."""
    folder = Path(stage.instance.storage_directory()) / "__repository__" / "schedule_events"
    folder.mkdir(parents=True)
    (folder / "1.err").write_text("old")
    stage.idle()
    assert stage.prune()[PruneCount.TICK_LOGS_DELETED] == 1
    (folder / "2.err").write_text("young")
    stage.clock.advance(-timedelta(days=2))

    pruned = stage.prune()

    assert pruned[PruneCount.TICK_LOGS_DELETED] == 0
    assert (folder / "2.err").exists()


@given(
    runs=st.lists(
        st.builds(
            FinishedRun,
            run_id=st.uuids().map(str),
            job=st.sampled_from(["publish_affected", "coldstart", "reconcile"]),
            ended_at=st.floats(min_value=0, max_value=2_000),
            created_at=st.floats(min_value=0, max_value=2_000),
        ),
        unique_by=lambda run: run.run_id,
        max_size=20,
    )
)
def test_a_plan_never_takes_a_young_run_or_the_latest_of_its_job(runs: list[FinishedRun]) -> None:
    """Only runs that ended before the cut-off are planned, and every job keeps one."""
    before = datetime.fromtimestamp(1_000, UTC)

    doomed = {run.run_id for run in plan_pruning(runs, before)}

    assert all(run.ended_at < 1_000 for run in runs if run.run_id in doomed)
    assert {run.job for run in runs if run.run_id not in doomed} == {run.job for run in runs}
    kept_old = [r for r in runs if r.ended_at < 1_000 and r.run_id not in doomed]
    assert len(kept_old) <= len({run.job for run in runs})


def test_runs_that_a_publisher_wrote_are_deleted_and_leave_nothing(stage: Stage) -> None:
    """A run that was written rather than launched goes with its events, tags and files, but for the latest."""
    writer = stage.writer()
    for _ in range(3):
        writer.write(EventBatch("changes", [_materialisation(key) for key in KEYS], KEYS))
    written = stage.runs()

    pruned = stage.prune()

    (left,) = stage.runs() & written
    deleted = written - {left}
    assert pruned[PruneCount.RUNS_DELETED] == 2
    assert pruned[PruneCount.RECORDS_CARRIED] == 0
    assert not [path for path in stage.directory.rglob("*") for run in deleted if run in path.name]
    assert all(stage.instance.get_run_by_id(run) is None for run in deleted)
    assert stage.latest(KEYS[0]) is not None


def _materialisation(key: ScheduleKey) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(names.PARTNER_SCHEDULE, partition=partition_key(key))
