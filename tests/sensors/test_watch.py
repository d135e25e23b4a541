"""The sensor ``watch``, over fakes and an instance in memory."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, SensorInstigatorData
from dagster_stage import DagsterStage
from fakes import Conditions
from pydantic import SecretStr

from schedules_pipeline.definitions import build_defs
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.maintenance.ports import PassName
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.sensors.dagster_snapshot import find_failed_runs
from schedules_pipeline.sensors.watch import INTERVAL_SECONDS, watch_sensor
from schedules_pipeline.settings import Settings

_JOB = "tried"
_SETTINGS = Settings(redis_url=SecretStr("redis://redis.test/0"))


class Switch(Conditions):
    is_away = False

    def checkpoint(self, step: str, about: object = ()) -> None:
        if self.is_away:
            raise ServiceError("Redis: away")


class Stage(DagsterStage):
    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.switch = Switch()
        super().__init__(instance, self.switch)
        self.definitions = build_defs(_SETTINGS, self.pipeline)
        self.cursor: str | None = None
        self.evaluations: list[dg.AssetCheckEvaluation] = []

    def tick(self) -> str:
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            definitions=self.definitions,
            resources={"pipeline": self.pipeline},
        )
        result = watch_sensor(_SETTINGS)(context)
        self.clock.advance(timedelta(seconds=INTERVAL_SECONDS))
        assert isinstance(result, dg.SensorResult)
        assert isinstance(result.skip_reason, dg.SkipReason)
        self.cursor = result.cursor
        self.evaluations += [e for e in result.asset_events if isinstance(e, dg.AssetCheckEvaluation)]
        return str(result.skip_reason.skip_message)

    def run(self, config: dict[str, object] | None = None) -> bool:
        """A run of the job ``reconcile``, which fails with an invalid configuration."""
        job = self.definitions.resolve_job_def("reconcile")
        return job.execute_in_process(
            instance=self.instance,
            raise_on_error=False,
            run_config={"ops": {"reconcile_share": {"config": config or {}}}},
        ).success


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stage]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        made = Stage(instance)
        monkeypatch.setattr(made.store.feed, "count_schedules", lambda: 1)
        monkeypatch.setattr(instance, "get_daemon_statuses", dict)
        yield made


def test_a_failed_run_is_an_alarm_until_the_job_succeeds(stage: Stage) -> None:
    """The alarm stands while the latest finished run of its job failed, and a later success ends it."""
    assert not stage.run({"number": 3, "of": 2})
    failed = [stage.tick(), stage.tick()]
    assert stage.run()
    later = [stage.tick() for _ in range(4)]

    assert failed == [
        "problems: runs-failed; sent 1 alarms and 0 all-clears",
        "problems: runs-failed; sent 0 alarms and 0 all-clears",
    ]
    assert later[-2:] == [
        "problems: none; sent 0 alarms and 1 all-clears",
        "problems: none; sent 0 alarms and 0 all-clears",
    ]


def test_a_run_that_dagster_refused_to_launch_ends_without_an_alarm(stage: Stage) -> None:
    """It does not say whether its job works."""
    run = stage.instance.create_run_for_job(stage.definitions.resolve_job_def("reconcile"))
    stage.clock.advance(datetime.now(UTC) + timedelta(hours=1) - stage.clock())

    said = stage.tick()

    ended = stage.instance.get_run_by_id(run.run_id)
    assert ended is not None
    assert ended.status is dg.DagsterRunStatus.CANCELED
    assert said.startswith("problems: none")


def test_a_check_is_recorded_as_a_pass(stage: Stage) -> None:
    """Monitoring can see when the watch last checked."""
    stage.tick()

    assert stage.store.passes.all()[PassName.WATCH].latest.succeeded


def test_what_only_dagster_knows_is_recorded(stage: Stage) -> None:
    """Every process can judge it: a sensor that is off is a condition, one that is on is none."""
    repository = stage.definitions.get_repository_def()
    off, on = (
        InstigatorState(
            RemoteInstigatorOrigin(
                RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "__repository__"), name
            ),
            InstigatorType.SENSOR,
            status,
            SensorInstigatorData(),
        )
        for name, status in (
            ("catalogue_events", InstigatorStatus.STOPPED),
            ("schedule_events", InstigatorStatus.RUNNING),
        )
    )
    assert {"catalogue_events", "schedule_events"} <= {sensor.name for sensor in repository.sensor_defs}
    for state in (off, on):
        stage.instance.add_instigator_state(state)

    assert "sensors-off" not in stage.tick()
    assert "sensors-off" in stage.tick()

    snapshot = stage.store.dagster.latest()
    assert snapshot is not None
    assert snapshot.sensors_off == ("catalogue_events",)


def test_partners_that_are_gone_are_noticed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sensor remembers outside the store that there were some."""
    stage.store.partners.create(Partner("harbour", stage.clock()))
    before = stage.tick()
    monkeypatch.setattr(stage.store.partners, "was_ever_used", lambda: False)

    assert "partners-gone" not in before
    assert "partners-gone" in stage.tick()


def test_the_check_of_health_is_recorded_when_it_changes_and_every_hour(stage: Stage) -> None:
    """Green, red as the run fails, green again; then once an hour, so that its age shows that the watch runs."""
    stage.tick()
    stage.tick()
    stage.run({"number": 3, "of": 2})
    stage.tick()
    stage.tick()
    stage.run()
    for _ in range(125):
        stage.tick()

    assert [(each.passed, each.severity) for each in stage.evaluations] == [
        (True, dg.AssetCheckSeverity.WARN),
        (False, dg.AssetCheckSeverity.ERROR),
        (True, dg.AssetCheckSeverity.WARN),
        (True, dg.AssetCheckSeverity.WARN),
    ]
    assert stage.evaluations[1].description == "runs-failed (error)"
    assert {each.check_name for each in stage.evaluations} == {"is_healthy"}


def test_what_may_pass_is_not_shown_at_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new keyspace is empty until the first coldstart is requested, seconds later."""
    monkeypatch.setattr(stage.store.feed, "count_schedules", lambda: 0)

    for _ in range(4):
        stage.tick()
    first = [each.passed for each in stage.evaluations]
    stage.tick()

    assert first == [True]
    assert [each.description for each in stage.evaluations[1:]] == ["keyspace-empty (error)"]


def test_a_store_that_is_away_fails_the_tick_and_says_so(stage: Stage) -> None:
    """The tick fails with an error that names the store, because no notice can be stored."""
    stage.switch.is_away = True

    with pytest.raises(ServiceError, match="Redis: away"):
        stage.tick()


def test_the_sensor_runs_by_itself_every_half_minute(stage: Stage) -> None:
    """The sensor is on by default and requests no run."""
    sensor = stage.definitions.resolve_sensor_def("watch")

    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert sensor.minimum_interval_seconds == INTERVAL_SECONDS


def _add_run(instance: dg.DagsterInstance, number: int, status: dg.DagsterRunStatus, job: str = _JOB) -> str:
    run = dg.DagsterRun(
        job_name=job, run_id=f"00000000-0000-0000-0000-{number:012}", status=dg.DagsterRunStatus.STARTED
    )
    instance.add_run(run)
    if status is dg.DagsterRunStatus.FAILURE:
        instance.report_run_failed(run)
    elif status is dg.DagsterRunStatus.CANCELED:
        instance.report_run_canceled(run)
    return run.run_id


_FAILURE, _CANCELED, _STARTED = (
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
    dg.DagsterRunStatus.STARTED,
)


@pytest.mark.parametrize(
    ("statuses", "failed"),
    [
        ([], None),
        ([_FAILURE], 0),
        ([_STARTED], None),
        ([_CANCELED], None),
        ([_FAILURE, _CANCELED], 0),
        ([_FAILURE, _STARTED], 0),
        ([_FAILURE, _FAILURE], 1),
    ],
)
def test_only_finished_runs_count(statuses: list[dg.DagsterRunStatus], failed: int | None) -> None:
    """Unfinished and cancelled runs do not count."""
    with dg.DagsterInstance.ephemeral() as instance:
        ids = [_add_run(instance, number, status) for number, status in enumerate(statuses)]

        found = find_failed_runs(instance, [_JOB, "another"])

    assert [run.run_id for run in found] == ([] if failed is None else [ids[failed]])
    assert all(run.ended_at > datetime(2026, 1, 1, tzinfo=UTC) for run in found)


def test_a_successor_at_work_ends_the_alarm_of_a_failed_publisher() -> None:
    """While another run of the same job publishes, its failed predecessor raises no alarm."""
    with dg.DagsterInstance.ephemeral() as instance:
        failed, started = (_add_run(instance, n, status) for n, status in enumerate([_FAILURE, _STARTED]))

        found = [
            find_failed_runs(instance, [_JOB], [at_work]) for at_work in ("", failed, started, "starting")
        ]

    assert [[run.run_id for run in runs] for runs in found] == [[failed], [failed], [], [failed]]
