"""Events that are stored in batches, on each storage of Dagster that a test can have: what Dagster then answers."""

import asyncio
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import orjson
import pytest
from dagster._core.events import DagsterEvent
from dagster._core.loader import LoadingContextForTest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord
from dagster_shared.serdes import deserialize_value, serialize_value
from dagster_stage import DagsterStage, source_document
from instances import open_instance

from schedules_pipeline.assets import names
from schedules_pipeline.definitions import build_defs
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.event_batches import BatchRunWriter, Event, EventBatch, _dagster_event
from schedules_pipeline.jobs.rebuild_schedules import rebuild_config, rebuild_schedules_job
from schedules_pipeline.overall_checks import ASSET_OF_CHECK
from schedules_pipeline.partitions import partition_key
from schedules_pipeline.publishing.check_schedules import CheckName
from schedules_pipeline.publishing.ports.upstream import Message
from schedules_pipeline.recording import Recorder
from schedules_pipeline.settings import Settings

_SETTINGS = Settings()
_ONE, _TWO = (ScheduleKey(Sid("alder_one"), date(2026, 3, day)) for day in (27, 28))
_PARTITION = str(partition_key(_ONE))
_PUBLISHER = dg.DagsterRun(job_name="publish_affected", run_id="00000000-0000-0000-0000-000000000009")


class Stage(DagsterStage):
    """A pipeline of fakes whose source has two schedules, and a publisher's recorder."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        super().__init__(instance)
        self.writer = BatchRunWriter(
            instance, rebuild_schedules_job(_SETTINGS), rebuild_config, _PUBLISHER, self.clock
        )
        self.recorder = Recorder(self.pipeline, _SETTINGS, instance, self.writer)
        self.definitions = build_defs(_SETTINGS, self.pipeline)
        self.put_item("First title")

    def put_item(self, title: str) -> None:
        document = {"pid": "b00000001", "type": "episode", "title": title}
        self.upstreams.catalogue_source.documents[Pid("b00000001")] = orjson.dumps(document)

    def put(self, *keys: ScheduleKey, broadcasts: int = 2) -> None:
        """Put a document of each, publish, and record."""
        for key in keys:
            self.upstreams.schedule_source.put(key, source_document(key, broadcasts))
            body = orjson.dumps({"sid": key.sid, "date": key.date.isoformat()}).decode()
            self.pipeline.schedule_intake.handle([Message("m1", body, self.clock(), "", 1)])
        self.clock.advance(timedelta(seconds=2))
        self.pipeline.publisher.publish_all()
        self.recorder.record_published()

    def runs(self) -> list[dg.DagsterRun]:
        """The runs that hold records, latest first."""
        return list(self.instance.get_runs(dg.RunsFilter(job_name="rebuild_schedules")))

    def history(self, check: str) -> list[AssetCheckExecutionRecord]:
        """Every evaluation of a schedule by a check, latest first."""
        key = dg.AssetCheckKey(ASSET_OF_CHECK[CheckName(check)], check)
        found = self.instance.event_log_storage.get_asset_check_execution_history(key, limit=100)
        return [record for record in found if record.partition is not None]


@pytest.fixture(params=["memory", "sqlite", "one file", "postgres"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    with open_instance(request, tmp_path) as instance:
        yield Stage(instance)


def test_a_batch_is_a_finished_run(stage: Stage) -> None:
    """All versions of a batch are in one run, which is tagged by its trigger, causes and services, and lasts from the
    first notification to the last publication.
    """
    stage.put(_TWO, _ONE)

    (record,) = stage.instance.get_run_records(dg.RunsFilter(job_name="rebuild_schedules"))
    published = {change.published_at.timestamp() for change in stage.store.feed.heads().values()}
    run = record.dagster_run
    assert run.status is dg.DagsterRunStatus.SUCCESS
    assert record.start_time is not None
    assert published == {record.end_time} == {record.start_time + 2.0}
    assert {name: value for name, value in run.tags.items() if name.startswith("schedules/")} == {
        "schedules/trigger": "schedule",
        "schedules/cause": f"schedule {_TWO}, schedule {_ONE}",
        "schedules/services": "alder_one",
    }


def test_dagster_knows_the_version_of_each_partition(stage: Stage) -> None:
    """Both partitions are materialised, and the latest materialisation of one has the facts of its version."""
    stage.put(_ONE, _TWO)
    stage.put(_ONE, broadcasts=3)

    record = stage.instance.fetch_materializations(
        dg.AssetRecordsFilter(names.PARTNER_SCHEDULE, asset_partitions=[_PARTITION]), limit=1
    ).records[0]
    assert set(stage.instance.get_materialized_partitions(names.PARTNER_SCHEDULE)) == {
        str(partition_key(key)) for key in (_ONE, _TWO)
    }
    assert record.run_id == stage.runs()[0].run_id
    assert record.asset_materialization is not None
    assert record.asset_materialization.metadata["seq"].value == 2
    assert set(stage.instance.all_asset_keys()) >= {names.SOURCE_SCHEDULE, names.PARTNER_SCHEDULE}


def test_each_evaluation_is_a_row(stage: Stage) -> None:
    """An evaluation of a later batch replaces none of an earlier one, and the latest is the latest."""
    for broadcasts in (2, 3, 4):
        stage.put(_ONE, broadcasts=broadcasts)

    history, key = (
        stage.history("index_complete"),
        dg.AssetCheckKey(names.BACK_REFERENCE_INDEX, "index_complete"),
    )
    latest = stage.instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
    assert [record.run_id for record in history] == [run.run_id for run in stage.runs()]
    assert len(history) == 3
    assert {record.partition for record in history} == {_PARTITION}
    assert latest.run_id == stage.runs()[0].run_id


def test_the_state_of_a_check_is_that_of_all_schedules(stage: Stage) -> None:
    """Dagster shows as the latest evaluation of a check the one over all schedules, and takes it for one of the latest
    materialisation.
    """
    stage.put(_ONE, _TWO)
    stage.put(_ONE, broadcasts=3)

    keys = [dg.AssetCheckKey(asset, name.value) for name, asset in ASSET_OF_CHECK.items()]
    latest = stage.instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    told = {key.name: record.evaluation for key, record in latest.items()}
    assert set(told) == {name.value for name in CheckName} - {"matches_legacy"}
    assert {each.partition for each in told.values() if each} == {None}
    assert told["is_built"] is not None
    assert told["is_built"].description == "no schedule fails"
    assert told["references_resolved"] is not None
    assert told["references_resolved"].metadata["failing"].value == 0
    for record in latest.values():
        context = LoadingContextForTest(stage.instance)
        assert asyncio.run(record.targets_latest_materialization(context))


def test_the_run_page_shows_a_run_that_began_and_ended(stage: Stage) -> None:
    """The log of a recorded run begins and ends as that of any other run, with one step."""
    stage.put(_ONE)

    logs = stage.instance.all_logs(stage.runs()[0].run_id)
    kinds = [entry.dagster_event_type for entry in logs]
    steps = stage.instance.get_run_step_stats(stage.runs()[0].run_id)
    kind = dg.DagsterEventType
    assert kinds[:2] == [kind.PIPELINE_START, kind.STEP_START]
    assert kinds[-2:] == [kind.STEP_SUCCESS, kind.PIPELINE_SUCCESS]
    assert [(step.step_key, str(step.status)) for step in steps] == [("rebuild", "StepEventStatus.SUCCESS")]


def test_to_execute_a_recorded_run_again_rebuilds_its_schedules(stage: Stage) -> None:
    """The config of a recorded run names its schedules; executed, it rebuilds these and no other."""
    stage.put(_ONE)
    stage.put(_TWO)
    (_, first) = stage.runs()
    stage.put_item("Second title")
    seqs = {key: change.seq for key, change in stage.store.feed.heads().items()}
    stage.upstreams.schedule_source.put(_ONE, source_document(_ONE, 5))
    stage.upstreams.schedule_source.put(_TWO, source_document(_TWO, 5))

    job = stage.definitions.resolve_job_def(first.job_name)
    result = job.execute_in_process(run_config=first.run_config, instance=stage.instance)

    assert result.success
    after = {key: change.seq for key, change in stage.store.feed.heads().items()}
    assert after == {_ONE: seqs[_ONE] + 1, _TWO: seqs[_TWO]}
    materialised = stage.instance.fetch_materializations(names.PARTNER_SCHEDULE, limit=1).records[0]
    assert (materialised.run_id, materialised.partition_key) == (result.run_id, _PARTITION)


def test_a_second_evaluation_in_one_run_replaces_the_first(stage: Stage) -> None:
    """A run that an operator launched has one evaluation of each check and partition, its last."""
    stage.put(_ONE)
    job = stage.definitions.resolve_job_def("rebuild_schedules")

    result = job.execute_in_process(run_config=rebuild_config([_ONE] * 301), instance=stage.instance)

    of_run = [record for record in stage.history("index_complete") if record.run_id == result.run_id]
    assert result.success
    assert len(of_run) == 1


def test_a_name_that_is_no_schedule_fails_the_run_with_the_form_that_it_expects(stage: Stage) -> None:
    """The error of a run with a wrong name in its config says how a schedule is named."""
    job = stage.definitions.resolve_job_def("rebuild_schedules")
    config = {"ops": {"rebuild": {"config": {"schedules": ["alder one"]}}}}

    result = job.execute_in_process(run_config=config, instance=stage.instance, raise_on_error=False)

    error = str(result.get_step_failure_events()[0].step_failure_data.error)
    assert not result.success
    assert "not a schedule key: 'alder one'" in error
    assert "for example alder_one/2026-03-28" in error


def test_dagster_reads_the_events_that_it_was_given(stage: Stage) -> None:
    """An event is stored without its empty fields, and Dagster reads it as one that it has stored itself."""
    asset, partition = names.PARTNER_SCHEDULE, partition_key(_ONE)
    facts: dict[str, Any] = {
        "seq": 1,
        "document": dg.MetadataValue.url("http://localhost/"),
        "rest": {"a": None, "b": {}},
    }
    full = dg.AssetCheckEvaluation(
        asset_key=asset, check_name="is_built", passed=True, metadata=facts, partition=partition
    )
    events: list[Event] = [
        dg.AssetMaterialization(asset),
        dg.AssetMaterialization(asset, "built", facts, partition, {"tag": ""}),
        dg.AssetObservation(asset),
        dg.AssetObservation(asset, description="removed", partition=partition, metadata=facts),
        full,
        dg.AssetCheckEvaluation(asset_key=asset, check_name="is_built", passed=False),
    ]

    stage.writer.write(EventBatch("test", events))

    logs = [entry.get_dagster_event() for entry in stage.instance.all_logs(stage.runs()[0].run_id)]
    expected = [_dagster_event(event, logs[0].job_name, "rebuild") for event in events]
    assert logs[2:-2] == [deserialize_value(serialize_value(event), DagsterEvent) for event in expected]
    stored = [row.event for check in ("is_built",) for row in stage.history(check)]
    assert full in [event.get_dagster_event().event_specific_data for event in stored if event is not None]


def test_nothing_to_record_is_no_run(stage: Stage) -> None:
    """An empty batch writes nothing."""
    stage.writer.write(EventBatch("changes", []))

    assert stage.runs() == []


def test_a_batch_of_thousands_of_events_is_stored(stage: Stage) -> None:
    """A batch that exceeds what one statement of SQLite may hold is stored in several."""
    keys = [ScheduleKey(Sid(f"service_{number}"), _ONE.date) for number in range(700)]
    events = [dg.AssetMaterialization(names.PARTNER_SCHEDULE, partition=partition_key(key)) for key in keys]

    stage.writer.write(EventBatch("test", events, keys))

    assert len(stage.instance.get_materialized_partitions(names.PARTNER_SCHEDULE)) == 700
    assert stage.runs()[0].tags["schedules/services"].endswith(" and 697 more")
