"""What stays and what goes of Dagster's own records: on a real instance, in SQLite files."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import dagster as dg
import pytest
from builders import a_change
from dagster._core.event_api import PartitionKeyFilter
from fakes import FakeClock, FakeStore, fake_store, fake_upstreams, pipeline_over
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.engine import Engine

from schedules_pipeline import pruning
from schedules_pipeline.assets import names
from schedules_pipeline.dagster_storage import latest_materialisations
from schedules_pipeline.documents.change_row import render_row
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.maintenance.ports.passes import PassName
from schedules_pipeline.partitions import partition_key, schedule_partitions
from schedules_pipeline.pruning import Finished, PruneCounts, RecordPruner, plan_pruning
from schedules_pipeline.settings import Settings

_DAYS = [date(2026, 3, day) for day in (26, 27, 28)]
_KEYS = [ScheduleKey(Sid("alder_one"), day) for day in _DAYS]
_CHECK = dg.AssetCheckKey(names.PARTNER_SCHEDULE, "is_built")
_LATER = timedelta(days=8)

Op = Callable[[dg.OpExecutionContext], None]


class Stage:
    """An instance on disk, three published schedules, and runs that record them. Its clock says eight days
    from now, so that every run that is made here is older than the seven days that are kept.
    """

    def __init__(self, instance: dg.DagsterInstance, directory: Path) -> None:
        self.instance, self.directory = instance, directory
        self.settings = Settings(first_date=date(2026, 1, 1), dagster_runs_kept_days=7)
        self.clock = FakeClock(datetime.now(UTC) + _LATER)
        self.store: FakeStore = fake_store(self.clock)
        upstreams = fake_upstreams(self.clock, Random(0))
        self.pipeline = pipeline_over(self.store.as_store(), upstreams, self.clock)
        instance.add_dynamic_partitions("services", ["alder_one"])
        for key in _KEYS:
            self.publish(key, seq=1)

    def publish(self, key: ScheduleKey, seq: int, etag: str = "e") -> None:
        """The feed's latest row of a schedule; an empty ``etag`` removes it."""
        change = a_change(key, seq, etag=etag, published_at=self.clock())
        self.store.feed.append([(key, seq, render_row(change))])

    def run(self, op: Op, job: str = "publish_affected") -> str:
        """Run an op as a job of that name, to its end; answers with the id of the run."""

        @dg.op(name="publish")
        def publish(context: dg.OpExecutionContext) -> None:
            op(context)

        @dg.job(name=job, executor_def=dg.in_process_executor)
        def made() -> None:
            publish()

        return made.execute_in_process(instance=self.instance, raise_on_error=False).run_id

    def record(self, *keys: ScheduleKey, passed: bool = True) -> str:
        """A run that records a version of these schedules and evaluates a check of each."""

        def op(context: dg.OpExecutionContext) -> None:
            for key in keys:
                partition = partition_key(key)
                metadata: dict[str, Any] = {"seq": 1, "cause": "a put"}
                context.log_event(
                    dg.AssetMaterialization(names.PARTNER_SCHEDULE, partition=partition, metadata=metadata)
                )
                log_event: Callable[..., None] = context.log_event
                log_event(
                    dg.AssetCheckEvaluation(
                        asset_key=_CHECK.asset_key,
                        check_name=_CHECK.name,
                        passed=passed,
                        partition=partition,
                    )
                )

        return self.run(op)

    def idle(self, job: str = "publish_affected") -> str:
        """A run that records nothing: the latest of its job, which stays."""
        return self.run(lambda _: None, job)

    def prune(self) -> PruneCounts:
        """A run of the pruning job."""
        found: list[PruneCounts] = []

        def op(context: dg.OpExecutionContext) -> None:
            pruner = RecordPruner(self.pipeline, self.settings, self.instance, context.log_event)
            found.append(pruner.prune())

        self.run(op, "prune_records")
        return found[0]

    def runs(self) -> set[str]:
        return {run.run_id for run in self.instance.get_runs()}

    def statuses(self) -> dict[str, object]:
        """What Dagster says of each partition."""
        keys = [str(partition_key(key)) for key in _KEYS]
        definition = schedule_partitions(self.settings)
        found = self.instance.get_status_by_partition(names.PARTNER_SCHEDULE, keys, definition)
        return dict(found or {})

    def check_passes(self) -> dict[str, bool | None]:
        """The latest evaluation of the check, by partition."""
        storage = self.instance.event_log_storage
        passes: dict[str, bool | None] = {}
        for key in _KEYS:
            only = PartitionKeyFilter(key=str(partition_key(key)))
            record = storage.get_latest_asset_check_execution_by_key([_CHECK], only).get(_CHECK)
            passes[str(partition_key(key))] = (
                None if record is None or record.evaluation is None else record.evaluation.passed
            )
        return passes

    def latest(self, key: ScheduleKey) -> dg.EventLogRecord | None:
        """The latest materialisation of a partition."""
        wanted = dg.AssetRecordsFilter(names.PARTNER_SCHEDULE, asset_partitions=[str(partition_key(key))])
        records = self.instance.fetch_materializations(wanted, limit=1).records
        return records[0] if records else None


def _hasten(connection: sqlite3.Connection, _: object) -> None:
    """SQLite does not wait for the disk: what is tested here is what it holds, not that it survives a power cut."""
    connection.execute("PRAGMA synchronous=OFF")


def _limit_values(connection: sqlite3.Connection, _: object) -> None:
    """Forty values a statement, where a database as it comes takes some thousands."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 40)


@contextmanager
def _on_connect(action: Callable[[sqlite3.Connection, object], None]) -> Iterator[None]:
    """Do this to every connection to a database meanwhile."""
    event.listen(Engine, "connect", action)
    yield
    event.remove(Engine, "connect", action)


@pytest.fixture
def _hasty_files() -> Iterator[None]:
    with _on_connect(_hasten):
        yield


@pytest.fixture
def stage(tmp_path: Path, _hasty_files: None) -> Iterator[Stage]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield Stage(instance, tmp_path)


def test_old_runs_go_and_partitions_look_as_before(stage: Stage) -> None:
    """What the deleted runs said last of each schedule still stands: statuses and checks are the same."""
    first = stage.record(*_KEYS, passed=False)
    second = stage.record(*_KEYS[:2])
    latest = stage.idle()
    before = stage.statuses(), stage.check_passes()

    pruned = stage.prune()

    assert (pruned.runs_deleted, pruned.records_carried) == (2, 3)
    assert {first, second} & stage.runs() == set()
    assert latest in stage.runs()
    assert (stage.statuses(), stage.check_passes()) == before
    assert list(stage.check_passes().values()) == [True, True, False]


def test_without_carrying_forward_partitions_would_be_missing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is carried forward is what Dagster would otherwise lose: the reason for all this."""
    stage.record(*_KEYS)
    stage.idle()
    monkeypatch.setattr(pruning, "CARRIED_ASSETS", ())

    stage.prune()

    assert stage.latest(_KEYS[0]) is None


def test_what_is_carried_keeps_its_metadata_and_says_where_it_is_from(stage: Stage) -> None:
    """The record that is carried has the metadata of the first one, and the run and time of it."""
    run = stage.record(*_KEYS)
    stage.idle()
    first = stage.latest(_KEYS[0])

    stage.prune()

    record = stage.latest(_KEYS[0])
    assert first is not None
    assert record is not None
    assert record.asset_materialization is not None
    metadata = record.asset_materialization.metadata
    assert metadata["seq"].value == 1
    assert metadata["first_recorded_by"].value == run
    assert metadata["first_recorded_at"].value == first.timestamp


def test_what_is_carried_twice_remembers_the_first_time(stage: Stage) -> None:
    """A pruning run grows old as well: its records are carried on, with the very first run and time."""
    run = stage.record(*_KEYS)
    stage.idle()
    stage.prune()
    stage.idle("prune_records")

    pruned = stage.prune()

    record = stage.latest(_KEYS[0])
    assert pruned.records_carried == 3
    assert record is not None
    assert record.asset_materialization is not None
    assert record.asset_materialization.metadata["first_recorded_by"].value == run


def test_what_is_recorded_meanwhile_is_not_hidden(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that a publisher records while a pass is at work stays the latest of its partition."""
    stage.record(*_KEYS)
    stage.idle()
    read = latest_materialisations

    def read_and_be_overtaken(instance: dg.DagsterInstance, key: dg.AssetKey) -> list[dg.EventLogRecord]:
        found = read(instance, key)
        if key == names.PARTNER_SCHEDULE:
            newer = dg.AssetMaterialization(key, partition=partition_key(_KEYS[0]), metadata={"seq": 2})
            instance.report_runless_asset_event(newer)
        return found

    monkeypatch.setattr(pruning, "latest_materialisations", read_and_be_overtaken)

    pruned = stage.prune()

    latest = stage.latest(_KEYS[0])
    assert pruned.records_carried == 2
    assert latest is not None
    assert latest.asset_materialization is not None
    assert latest.asset_materialization.metadata["seq"].value == 2


def test_young_runs_stay(stage: Stage) -> None:
    """A run that ended within the days that are kept is not touched."""
    stage.clock.advance(-timedelta(days=2))
    run = stage.record(*_KEYS)
    stage.idle()

    pruned = stage.prune()

    assert pruned.runs_deleted == 0
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
    """So every job still shows how it ended last, however rarely it runs."""
    stage.idle("coldstart")
    kept = {stage.idle("coldstart"), stage.idle("reconcile")}

    stage.prune()

    assert kept <= stage.runs()
    assert len(stage.runs()) == 3


def test_what_is_no_longer_published_is_let_go(stage: Stage) -> None:
    """A removed schedule is not carried forward, and its evaluations go."""
    stage.record(*_KEYS)
    stage.idle()
    stage.publish(_KEYS[0], seq=2, etag="")

    pruned = stage.prune()

    assert (pruned.records_carried, pruned.records_let_go) == (2, 1)
    assert stage.latest(_KEYS[0]) is None
    assert list(stage.check_passes().values()) == [None, True, True]


def test_only_the_latest_evaluation_of_a_check_stays(stage: Stage) -> None:
    """Evaluations that outlive their runs are deleted, but for the latest of each partition."""
    for _ in range(3):
        stage.record(*_KEYS)
    stage.idle()

    pruned = stage.prune()

    assert pruned.evaluations_deleted == 6
    assert len(stage.instance.event_log_storage.get_asset_check_execution_history(_CHECK, limit=100)) == 3


def test_files_of_deleted_runs_are_gone(stage: Stage) -> None:
    """On SQLite a run's events are a file, and its output a folder; neither outlives the run."""
    run = stage.record(*_KEYS)
    stage.idle()
    named = [path for path in stage.directory.rglob("*") if run in path.name]

    stage.prune()

    assert named
    assert not [path for path in stage.directory.rglob("*") if run in path.name]


def test_a_run_with_more_events_than_a_statement_takes_is_deleted(stage: Stage) -> None:
    """A database takes only so many values in one statement; a run may have recorded more than that."""

    def op(context: dg.OpExecutionContext) -> None:
        for _ in range(15):
            for key in _KEYS:
                context.log_event(
                    dg.AssetMaterialization(names.PARTNER_SCHEDULE, partition=partition_key(key))
                )

    run = stage.run(op)
    stage.idle()

    with _on_connect(_limit_values):
        stage.prune()

    assert run not in stage.runs()
    assert stage.latest(_KEYS[0]) is not None


def test_old_tick_logs_are_gone_and_young_ones_stay(stage: Stage) -> None:
    """The captured output of a tick goes when it is older than what is kept."""
    folder = Path(stage.instance.storage_directory()) / "__repository__" / "schedule_events"
    folder.mkdir(parents=True)
    (folder / "1.err").write_text("old")
    stage.idle()
    assert stage.prune().tick_logs_deleted == 1
    (folder / "2.err").write_text("young")
    stage.clock.advance(-timedelta(days=2))

    pruned = stage.prune()

    assert pruned.tick_logs_deleted == 0
    assert (folder / "2.err").exists()


def test_a_pass_that_dies_between_recording_and_deleting_loses_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before the first deletion, all is recorded twice; the next pass finishes the work."""
    stage.record(*_KEYS)
    stage.idle()
    before = stage.statuses()

    def die(*_: object) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(pruning, "delete_run", die)
        with pytest.raises(IndexError):
            stage.prune()
    between = stage.statuses()

    pruned = stage.prune()

    assert before == between == stage.statuses()
    assert pruned.runs_deleted == 1
    assert pruned.records_carried == 0


def test_a_pass_is_noted_and_so_is_one_that_fails(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pass log has what was done, and where it failed, why."""
    stage.idle()
    stage.prune()
    noted = stage.store.passes.all()[PassName.RETENTION]

    def die(*_: object) -> None:
        raise OSError("disk is full")

    monkeypatch.setattr(pruning, "delete_old_evaluations", die)
    with pytest.raises(IndexError):
        stage.prune()

    assert noted.latest.succeeded
    assert set(noted.latest.counts) == set(PruneCounts().counts())
    assert stage.store.passes.all()[PassName.RETENTION].latest.problem == "OSError: disk is full"


def test_assets_without_partitions_keep_their_latest_record(stage: Stage) -> None:
    """The catalogue's copies and the parity report have one latest record each, which is carried as well."""

    def op(context: dg.OpExecutionContext) -> None:
        context.log_event(dg.AssetMaterialization(names.PARITY_REPORT, metadata={"matching": 7}))

    stage.run(op)
    stage.idle()

    stage.prune()

    latest = stage.instance.get_latest_materialization_event(names.PARITY_REPORT)
    assert latest is not None
    assert latest.asset_materialization is not None
    assert latest.asset_materialization.metadata["matching"].value == 7


@given(
    runs=st.lists(
        st.builds(
            Finished,
            run_id=st.uuids().map(str),
            job=st.sampled_from(["publish_affected", "coldstart", "reconcile"]),
            ended_at=st.floats(min_value=0, max_value=2_000),
            created_at=st.floats(min_value=0, max_value=2_000),
        ),
        unique_by=lambda run: run.run_id,
        max_size=20,
    )
)
def test_a_plan_never_takes_a_young_run_or_the_latest_of_its_job(runs: list[Finished]) -> None:
    """Whatever there is, only runs that ended before the cut-off are planned, and every job keeps one."""
    before = datetime.fromtimestamp(1_000, UTC)

    doomed = set(plan_pruning(runs, before))

    assert all(run.ended_at < 1_000 for run in runs if run.run_id in doomed)
    assert {run.job for run in runs if run.run_id not in doomed} == {run.job for run in runs}
    kept_old = [r for r in runs if r.ended_at < 1_000 and r.run_id not in doomed]
    assert len(kept_old) <= len({run.job for run in runs})
