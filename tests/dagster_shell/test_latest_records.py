"""The latest record that Dagster shows of a partition is of its latest version, whoever wrote between."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import orjson
import pytest
from dagster_stage import DagsterStage, source_document
from fakes.feed import TAKEN_OVER_AFTER, FakeChangeFeed
from fakes.reports import FakeFailingCheckStore
from instances import open_instance
from pruning_stage import CHECK, KEYS
from pruning_stage import Stage as PruningStage

from schedules_pipeline import dagster_storage, event_batches
from schedules_pipeline.assets import names
from schedules_pipeline.domain.changes import Change
from schedules_pipeline.domain.identifiers import Pid, ScheduleKey, Sid
from schedules_pipeline.event_batches import BatchRunWriter, Event, EventBatch, OwnRunWriter
from schedules_pipeline.health.ports import FailedCheck
from schedules_pipeline.jobs.rebuild_schedules import rebuild_config, rebuild_schedules_job
from schedules_pipeline.overall_checks import ASSET_OF_CHECK
from schedules_pipeline.partitions import partition_key
from schedules_pipeline.pruning import PruneCount
from schedules_pipeline.publishing.check_schedules import CheckName
from schedules_pipeline.publishing.ports.upstream import Message
from schedules_pipeline.recording import Recorder
from schedules_pipeline.settings import Settings

_KEY = ScheduleKey(Sid("alder_one"), date(2026, 3, 28))
_PID = Pid("b00000001")
_SETTINGS = Settings()


class Stage(DagsterStage):
    """Publishers that record one schedule, with one item of the catalogue."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        super().__init__(instance)
        self._titles = 0
        self.change_item()

    def recorder(self, number: int = 1) -> Recorder:
        run = dg.DagsterRun(job_name="publish_affected", run_id=f"00000000-0000-0000-0000-{number:012}")
        job = rebuild_schedules_job(_SETTINGS)
        writer = BatchRunWriter(self.instance, job, rebuild_config, run, self.clock)
        return Recorder(self.pipeline, _SETTINGS, self.instance, writer)

    def put(self, broadcasts: int = 2) -> None:
        """Publish a version with a new source."""
        self.upstreams.schedule_source.put(_KEY, source_document(_KEY, broadcasts))
        body = orjson.dumps({"sid": _KEY.sid, "date": _KEY.date.isoformat()}).decode()
        self.pipeline.schedule_intake.handle([Message("m1", body, self.clock(), "", 1)])
        self._publish()

    def change_item(self) -> None:
        """Publish what the catalogue changes, a title."""
        self._titles += 1
        document = {"pid": str(_PID), "type": "episode", "title": f"Title {self._titles}"}
        self.upstreams.catalogue_source.documents[_PID] = orjson.dumps(document)
        body = orjson.dumps({"pid": str(_PID)}).decode()
        self.pipeline.catalogue_intake.handle([Message("m2", body, self.clock(), "", 1)])
        self._publish()

    def _publish(self) -> None:
        self.clock.advance(timedelta(seconds=2))
        self.pipeline.publisher.publish_all()

    def materialised(self, asset: dg.AssetKey) -> list[object]:
        """The versions in an asset's materialisations, latest first."""
        records = self.instance.fetch_materializations(asset, limit=100).records
        found = [record.asset_materialization for record in records]
        return [each.metadata["seq"].value for each in found if each is not None]

    def current(self) -> Mapping[str, bool]:
        """Whether Dagster shows the last evaluation of each check as one of the latest materialisation."""
        return _current(self.instance, _KEY)


def _current(instance: dg.DagsterInstance, key: ScheduleKey) -> dict[str, bool]:
    checks = [dg.AssetCheckKey(asset, name.value) for name, asset in ASSET_OF_CHECK.items()]
    found = instance.event_log_storage.get_asset_check_partition_info(checks)
    return {
        info.check_key.name: info.is_current
        for info in found
        if info.partition_key == str(partition_key(key))
    }


@pytest.fixture(params=["memory", "sqlite", "one file", "postgres"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    with open_instance(request, tmp_path) as instance:
        yield Stage(instance)


@pytest.fixture(params=["sqlite", "one file", "postgres"])
def pruning_stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PruningStage]:
    with open_instance(request, tmp_path) as instance:
        yield PruningStage(instance, tmp_path)


@pytest.fixture
def memory_stage() -> Iterator[Stage]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Stage(instance)


def test_every_check_is_current_after_each_kind_of_version(stage: Stage) -> None:
    """Dagster shows the last evaluation of each check as one of the latest materialisation."""
    recorder = stage.recorder()
    stage.put()
    recorder.record_published()
    after_source = stage.current()
    stage.change_item()
    recorder.record_published()

    assert set(after_source) == {name.value for name in CheckName} - {"matches_legacy"}
    assert set(after_source.values()) == {True}
    assert stage.current() == after_source


def test_a_check_without_a_new_version_is_current(stage: Stage) -> None:
    """What is evaluated of an unchanged schedule is shown as of its latest materialisation."""
    recorder = stage.recorder()
    stage.put()
    recorder.record_published()

    recorder.record_checks([_KEY])

    assert set(stage.current().values()) == {True}


def test_a_materialisation_by_hand_leaves_its_checks_not_evaluated(stage: Stage) -> None:
    """A newer materialisation that somebody reports without checks clears them, until the next version."""
    recorder = stage.recorder()
    stage.put()
    recorder.record_published()
    by_hand = dg.AssetMaterialization(names.PARTNER_SCHEDULE, partition=partition_key(_KEY))
    stage.instance.report_runless_asset_event(by_hand)
    cleared = stage.current()["is_built"]
    stage.change_item()
    recorder.record_published()

    assert not cleared
    assert stage.current()["is_built"]


def test_an_index_that_stays_complete_is_evaluated_with_its_source_only(stage: Stage) -> None:
    """A catalogue change needs no evaluation of the index, unless the last one failed."""
    recorder = stage.recorder()
    check = dg.AssetCheckKey(names.BACK_REFERENCE_INDEX, "index_complete")
    stage.put()
    for failed in (None, FailedCheck("1 missing", is_error=True)):
        recorder.record_published()
        stage.store.failing_checks.record({(_KEY, check.name): failed})
        stage.change_item()
    recorder.record_published()
    history = stage.instance.event_log_storage.get_asset_check_execution_history(check, limit=10)

    assert len([record for record in history if record.partition is not None]) == 2
    assert stage.store.failing_checks.all() == {}


def test_a_new_source_is_recorded_although_a_catalogue_change_followed_at_once(stage: Stage) -> None:
    """Of two versions between two records, the latest is recorded, with the source of the first."""
    stage.put()
    stage.change_item()

    stage.recorder().record_published()

    assert stage.materialised(names.SOURCE_SCHEDULE) == [2]
    assert stage.materialised(names.PARTNER_SCHEDULE) == [2]
    assert set(stage.current().values()) == {True}


def test_a_slow_publisher_does_not_hide_the_version_that_another_recorded(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two publishers record two versions of a schedule, the later one first; the later one is the latest."""
    slow, fast = stage.recorder(1), stage.recorder(2)
    stage.put()
    write = slow._record

    def overtaken(latest: Mapping[ScheduleKey, Change]) -> None:
        monkeypatch.setattr(slow, "_record", write)
        stage.change_item()
        fast.record_published()
        write(latest)

    monkeypatch.setattr(slow, "_record", overtaken)

    slow.record_published()

    assert stage.materialised(names.PARTNER_SCHEDULE) == [2, 1, 2]
    assert set(stage.current().values()) == {True}


def test_a_version_that_is_published_during_a_record_is_recorded_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A publisher that recorded a version ahead does not record it again when the feed hands it out."""
    recorder = stage.recorder()
    stage.put()
    write = recorder._record

    def overtaken(latest: Mapping[ScheduleKey, Change]) -> None:
        monkeypatch.setattr(recorder, "_record", write)
        stage.change_item()
        write(latest)

    monkeypatch.setattr(recorder, "_record", overtaken)

    recorder.record_all_published()

    assert stage.materialised(names.PARTNER_SCHEDULE) == [2, 1]
    assert stage.store.feed.unrecorded() == 0


def test_pruning_keeps_checks_current(pruning_stage: PruningStage) -> None:
    """The evaluations of a materialisation that pruning records again are shown as evaluations of that one."""
    partition = partition_key(KEYS[0])
    events: list[Event] = [
        dg.AssetMaterialization(names.PARTNER_SCHEDULE, partition=partition, metadata={"seq": 1}),
        dg.AssetCheckEvaluation(
            asset_key=CHECK.asset_key, check_name=CHECK.name, passed=True, partition=partition
        ),
    ]
    pruning_stage.run(lambda context: OwnRunWriter(context).write(EventBatch("test", events)))
    pruning_stage.idle()
    before = pruning_stage.latest(KEYS[0])

    pruning_stage.prune()

    after = pruning_stage.latest(KEYS[0])
    assert before is not None
    assert after is not None
    assert after.storage_id > before.storage_id
    assert _current(pruning_stage.instance, KEYS[0]) == {"is_built": True}


def test_pruning_deletes_all_evaluations_but_the_latest(pruning_stage: PruningStage) -> None:
    """The latest evaluation stays as the latest, also when the run that held it is deleted."""
    writer = pruning_stage.writer()
    partition = partition_key(KEYS[0])
    for passed in (True, False, True, False):
        evaluation = dg.AssetCheckEvaluation(
            asset_key=CHECK.asset_key, check_name=CHECK.name, passed=passed, partition=partition
        )
        materialisation = dg.AssetMaterialization(names.PARTNER_SCHEDULE, partition=partition)
        writer.write(EventBatch("changes", [materialisation, evaluation], KEYS[:1]))
    of_another = dg.AssetMaterialization(names.PARTNER_SCHEDULE, partition=partition_key(KEYS[1]))
    writer.write(EventBatch("changes", [of_another], KEYS[1:2]))
    before = pruning_stage.history()

    pruned = pruning_stage.prune()

    (left,) = pruning_stage.history()
    assert pruned[PruneCount.RUNS_DELETED] == pruned[PruneCount.EVALUATIONS_DELETED] + 1 == 4
    assert (left.id, left.run_id) == (before[0].id, before[0].run_id)
    assert pruning_stage.instance.get_run_by_id(left.run_id) is None
    assert pruning_stage.check_passes()[str(partition)] is False
    assert _current(pruning_stage.instance, KEYS[0]) == {"is_built": True}


_EFFECTS: list[tuple[object, str]] = [
    (dg.DagsterInstance, "add_dynamic_partitions"),
    (dg.DagsterInstance, "create_run_for_job"),
    (event_batches, "store_finished_run"),
    (dagster_storage, "_store_some"),
    (dagster_storage, "_store_asset_events"),
    (FakeFailingCheckStore, "record"),
    (FakeChangeFeed, "confirm_recorded"),
]


class _Death(BaseException):
    """Ends the recorder at once, as a kill does."""


@pytest.mark.parametrize("is_before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize(("owner", "name"), _EFFECTS, ids=[name for _, name in _EFFECTS])
def test_a_recorder_that_dies_loses_no_record(
    memory_stage: Stage, monkeypatch: pytest.MonkeyPatch, owner: object, name: str, is_before: bool
) -> None:
    """A publisher dies before or after one of its effects; another one then records what the feed still has."""
    stage = memory_stage
    stage.put()
    effect = getattr(owner, name)

    def dies(*values: Any, **named: Any) -> None:
        if not is_before:
            effect(*values, **named)
        raise _Death

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, dies)
        with pytest.raises(_Death):
            stage.recorder(1).record_all_published()
    stage.change_item()
    stage.clock.advance(TAKEN_OVER_AFTER)

    stage.recorder(2).record_all_published()

    assert stage.store.feed.unrecorded() == 0
    assert stage.materialised(names.PARTNER_SCHEDULE)[0] == 2
    assert stage.materialised(names.SOURCE_SCHEDULE)
    assert set(stage.current()) == {name.value for name in CheckName} - {"matches_legacy"}
    assert set(stage.current().values()) == {True}
    assert stage.store.failing_checks.all() == {}
