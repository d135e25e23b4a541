"""The timed jobs over everything, executed in this process over a pipeline of fakes."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from dagster_stage import DagsterStage
from toy_world import BROADCASTS, SchedulePut, Slot

from schedules_pipeline.definitions import build_defs
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.domain.retention import RetentionHorizon
from schedules_pipeline.jobs import full_passes
from schedules_pipeline.jobs.full_passes import COLLECT, RECONCILE, share_of_hour
from schedules_pipeline.maintenance.ports import PassName
from schedules_pipeline.maintenance.reconcile import Share
from schedules_pipeline.partitions import DATES, SERVICES, ensure_partitions
from schedules_pipeline.settings import Settings

_SETTINGS = Settings(reconcile_grace_seconds=0)
_KEY = ScheduleKey(Sid("alder_one"), date(2026, 3, 28))
_WITHOUT_KEY = next(Share(number, 2) for number in (1, 2) if not Share(number, 2).has(_KEY))


class Stage(DagsterStage):
    """A pipeline of fakes with one published schedule, which is kept for ten days; an instance in memory."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        super().__init__(instance, horizon=RetentionHorizon(10))
        self.definitions = build_defs(_SETTINGS, self.pipeline)
        slots = tuple(Slot(broadcast, None) for broadcast in BROADCASTS[:2])
        SchedulePut(_KEY, slots).write(self.upstreams)
        cause = Cause("opening", Origin.COLDSTART, "all", self.clock())
        self.pipeline.publisher.rebuild_from_sources([_KEY], cause)
        ensure_partitions(instance, [_KEY, ScheduleKey(Sid("birch_one"), date(2026, 3, 1))])

    def run(self, job: str, **config: int) -> dg.ExecuteInProcessResult:
        run_config = {"ops": {"reconcile_share": {"config": config}}} if config else None
        resolved = self.definitions.resolve_job_def(job)
        return resolved.execute_in_process(
            instance=self.instance, run_config=run_config, raise_on_error=False
        )


@pytest.fixture
def stage() -> Iterator[Stage]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Stage(instance)


def _metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    outputs = [e for e in result.all_node_events if e.event_type is dg.DagsterEventType.STEP_OUTPUT]
    metadata = outputs[0].step_output_data.metadata
    return {name: value.value for name, value in metadata.items()}


def _partitions(stage: Stage) -> tuple[list[str], list[str]]:
    dates, services = (list(stage.instance.get_dynamic_partitions(name)) for name in (DATES, SERVICES))
    return dates, services


def test_a_collection_removes_partitions_of_dates_and_services_without_schedules(stage: Stage) -> None:
    """A date or a service keeps its partitions while the pipeline or the source has a schedule of it."""
    result = stage.run(COLLECT)

    assert result.success
    assert _partitions(stage) == (["2026-03-28"], ["alder_one"])
    assert _metadata(result)["dates and services"] == 2


def test_a_collection_says_what_it_found(stage: Stage) -> None:
    """The output's metadata have the counts: the schedule expires first and is deleted days later."""
    stage.clock.advance(timedelta(days=11))
    expiring = stage.run(COLLECT)
    stage.pipeline.publisher.publish_all()
    stage.clock.advance(timedelta(days=9))

    forgetting = stage.run(COLLECT)

    assert _metadata(expiring)["schedules expired"] == 1
    assert _metadata(forgetting)["schedules forgotten"] == 1
    assert _partitions(stage) == ([], [])


def test_a_reconcile_of_everything_mends_and_counts(stage: Stage) -> None:
    """On demand, with one share of one."""
    stage.store.schedules.kept[_KEY].document = None

    result = stage.run(RECONCILE, of=1)

    assert result.success
    assert _metadata(result)["mended"] == 1
    assert stage.pipeline.store.schedules.documents([_KEY])


def test_a_reconcile_of_a_share_leaves_the_others_alone(stage: Stage) -> None:
    """A damaged schedule in another share is found when that share is due."""
    stage.store.schedules.kept[_KEY].document = None

    result = stage.run(RECONCILE, number=_WITHOUT_KEY.number, of=_WITHOUT_KEY.of)

    assert _metadata(result)["schedules"] == 0
    assert not stage.pipeline.store.schedules.documents([_KEY])


def test_a_reconcile_without_a_choice_takes_the_share_of_the_hour(stage: Stage) -> None:
    """A run as the timer starts it."""
    result = stage.run(RECONCILE)

    expected = share_of_hour(stage.clock(), _SETTINGS.reconcile_shares).has(_KEY)
    assert _metadata(result)["schedules"] == int(expected)


def test_a_reconcile_that_cannot_mend_fails(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run fails and names the schedules."""
    SchedulePut(_KEY, (Slot(BROADCASTS[0], None),), minutes=5).write(stage.upstreams)
    monkeypatch.setattr(stage.pipeline.publisher, "rebuild_from_sources", lambda *_: None)

    result = stage.run(RECONCILE, of=1)

    assert not result.success


def test_a_share_that_there_is_not_is_rejected(stage: Stage) -> None:
    """An invalid share fails the run before any schedule is compared."""
    assert not stage.run(RECONCILE, number=3, of=2).success
    assert PassName.RECONCILIATION not in stage.pipeline.store.passes.all()


def test_a_reconcile_does_nothing_while_a_coldstart_has_stopped_the_intake(stage: Stage) -> None:
    """The coldstart rebuilds every schedule from its source, so differences do not count."""
    stage.pipeline.store.coldstarts.pause_intake(timedelta(hours=1))

    result = stage.run(RECONCILE, of=1)

    assert result.success
    assert PassName.RECONCILIATION not in stage.pipeline.store.passes.all()


def test_every_share_has_its_hour() -> None:
    """Each share is due once in as many hours as there are shares."""
    midnight = datetime(2026, 3, 28, tzinfo=UTC)

    for shares in (1, 5, 24, 48):
        turns = {share_of_hour(midnight + timedelta(hours=hour), shares) for hour in range(shares)}
        assert turns == {Share(number, shares) for number in range(1, shares + 1)}


def test_the_timers_run_by_themselves(stage: Stage) -> None:
    """The collection once a night by the local clock, the reconcile every hour."""
    timers = {
        timer.name: timer
        for timer in stage.definitions.schedules or ()
        if isinstance(timer, dg.ScheduleDefinition)
    }

    collection, hourly = timers["collect_garbage_timer"], timers["reconcile_timer"]

    assert (collection.cron_schedule, collection.execution_timezone) == ("15 4 * * *", "Europe/London")
    assert hourly.cron_schedule == "37 * * * *"
    assert {t.default_status for t in (collection, hourly)} == {dg.DefaultScheduleStatus.RUNNING}


def test_exports_of_the_state_have_a_timer_where_a_bucket_is_configured() -> None:
    """Without a target the job can be launched by hand alone, and says what is missing."""
    names = [
        {each.name for each in full_passes.timers(Settings(state_export_bucket=bucket))}
        for bucket in (None, "schedules-state")
    ]

    assert names[1] - names[0] == {"export_state_timer"}
