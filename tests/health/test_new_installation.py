"""An installation that has just begun, without partners, old system and webhooks, has no condition at any step."""

from datetime import timedelta

from cli_stage import KEY, Stage, schedule_put

from schedules_pipeline.health.condition import ConditionName
from schedules_pipeline.health.ports import DagsterSnapshot
from schedules_pipeline.maintenance.protect import ProtectionMemory


def _names(stage: Stage) -> set[ConditionName]:
    return {condition.name for condition in stage.pipeline.health.check().conditions}


def _watch(stage: Stage) -> None:
    stage.store.dagster.record(DagsterSnapshot(stage.clock(), daemons={"SCHEDULER": None}))
    stage.pipeline.watch.check()


def test_a_new_installation_has_no_condition() -> None:
    """From the first check to the end of the first coldstart and ten minutes later, with messages that wait."""
    stage = Stage()
    schedule_put(KEY).write(stage.upstreams)
    schedule_put(KEY).announce(stage.upstreams)
    before = _names(stage)
    _watch(stage)
    stage.pipeline.protector.check(ProtectionMemory(), "first")
    requested = _names(stage)
    stage.clock.advance(timedelta(minutes=1))
    _watch(stage)
    stage.pipeline.coldstarter.work_at("first", "run 1", 1, lambda _: None)
    built = _names(stage)
    stage.ingest()
    later = []
    for _ in range(20):
        stage.clock.advance(timedelta(seconds=30))
        stage.ingest()
        stage.pipeline.publisher.publish_all()
        stage.store.dagster.record(DagsterSnapshot(stage.clock()))
        later.append(_names(stage))

    assert before == {ConditionName.KEYSPACE_EMPTY}
    assert requested == built == set()
    assert set().union(*later) == set()
