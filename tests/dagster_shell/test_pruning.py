"""What pruning keeps of Dagster's own records, on a real instance in SQLite files."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from pruning_stage import KEYS, Stage, open_stage

from schedules_pipeline import pruning
from schedules_pipeline.assets import names
from schedules_pipeline.dagster_storage import latest_materialisations
from schedules_pipeline.maintenance.ports import PassName
from schedules_pipeline.partitions import partition_key
from schedules_pipeline.pruning import PruneCount


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with open_stage(tmp_path) as stage:
        yield stage


def test_old_runs_go_and_partitions_look_as_before(stage: Stage) -> None:
    """Partitions keep the status and check results that the deleted runs recorded last."""
    first = stage.record(*KEYS, passed=False)
    second = stage.record(*KEYS[:2])
    latest = stage.idle()
    before = stage.statuses(), stage.check_passes()

    pruned = stage.prune()

    assert (pruned[PruneCount.RUNS_DELETED], pruned[PruneCount.RECORDS_CARRIED]) == (2, 3)
    assert {first, second} & stage.runs() == set()
    assert latest in stage.runs()
    assert (stage.statuses(), stage.check_passes()) == before
    assert list(stage.check_passes().values()) == [True, True, False]


def test_without_carrying_forward_partitions_would_be_missing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without carrying records forward, Dagster would lose the partition's materialisation."""
    stage.record(*KEYS)
    stage.idle()
    monkeypatch.setattr(pruning, "CARRIED_ASSETS", ())

    stage.prune()

    assert stage.latest(KEYS[0]) is None


def test_a_carried_record_keeps_its_metadata_and_names_its_origin(stage: Stage) -> None:
    """A carried record has the metadata, the run and the time of the first one."""
    run = stage.record(*KEYS)
    stage.idle()
    first = stage.latest(KEYS[0])

    stage.prune()

    record = stage.latest(KEYS[0])
    assert first is not None
    assert record is not None
    assert record.asset_materialization is not None
    metadata = record.asset_materialization.metadata
    assert metadata["seq"].value == 1
    assert metadata["first_recorded_by"].value == run
    assert metadata["first_recorded_at"].value == first.timestamp


def test_a_record_carried_twice_names_its_first_run(stage: Stage) -> None:
    """The records of an old pruning run are carried forward with the very first run and time."""
    run = stage.record(*KEYS)
    stage.idle()
    stage.prune()
    stage.idle("prune_records")

    pruned = stage.prune()

    record = stage.latest(KEYS[0])
    assert pruned[PruneCount.RECORDS_CARRIED] == 3
    assert record is not None
    assert record.asset_materialization is not None
    assert record.asset_materialization.metadata["first_recorded_by"].value == run


def test_a_newer_record_is_not_hidden(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that a publisher records during a pass stays the latest of its partition."""
    stage.record(*KEYS)
    stage.idle()
    read = latest_materialisations

    def read_and_be_overtaken(instance: dg.DagsterInstance, key: dg.AssetKey) -> list[dg.EventLogRecord]:
        found = read(instance, key)
        if key == names.PARTNER_SCHEDULE:
            newer = dg.AssetMaterialization(key, partition=partition_key(KEYS[0]), metadata={"seq": 2})
            instance.report_runless_asset_event(newer)
        return found

    monkeypatch.setattr(pruning, "latest_materialisations", read_and_be_overtaken)

    pruned = stage.prune()

    latest = stage.latest(KEYS[0])
    assert pruned[PruneCount.RECORDS_CARRIED] == 2
    assert latest is not None
    assert latest.asset_materialization is not None
    assert latest.asset_materialization.metadata["seq"].value == 2


def test_records_of_removed_schedules_are_dropped(stage: Stage) -> None:
    """A removed schedule is not carried forward, and its evaluations go."""
    stage.record(*KEYS)
    stage.idle()
    stage.publish(KEYS[0], seq=2, etag="")

    pruned = stage.prune()

    assert (pruned[PruneCount.RECORDS_CARRIED], pruned[PruneCount.RECORDS_DROPPED]) == (2, 1)
    assert stage.latest(KEYS[0]) is None
    assert list(stage.check_passes().values()) == [None, True, True]


def test_a_pass_that_dies_between_recording_and_deleting_loses_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pass that stops before the first deletion has recorded all twice; the next pass deletes."""
    stage.record(*KEYS)
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
    assert pruned[PruneCount.RUNS_DELETED] == 1
    assert pruned[PruneCount.RECORDS_CARRIED] == 0


def test_a_pass_is_recorded_and_so_is_a_failed_one(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record of a pass has its counts, and the error of a failed one."""
    stage.idle()
    stage.prune()
    noted = stage.store.passes.all()[PassName.RETENTION]

    def die(*_: object) -> None:
        raise OSError("disk is full")

    monkeypatch.setattr(pruning, "delete_old_evaluations", die)
    with pytest.raises(IndexError):
        stage.prune()

    assert noted.latest.succeeded
    assert set(noted.latest.counts) == set(PruneCount)
    assert stage.store.passes.all()[PassName.RETENTION].latest.problem == "OSError: disk is full"


def test_assets_without_partitions_keep_their_latest_record(stage: Stage) -> None:
    """The latest records of assets without partitions are carried forward too."""

    def op(context: dg.OpExecutionContext) -> None:
        context.log_event(dg.AssetMaterialization(names.PARITY_REPORT, metadata={"matching": 7}))

    stage.run(op)
    stage.idle()

    stage.prune()

    latest = stage.instance.get_latest_materialization_event(names.PARITY_REPORT)
    assert latest is not None
    assert latest.asset_materialization is not None
    assert latest.asset_materialization.metadata["matching"].value == 7
