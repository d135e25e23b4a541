"""The sensor ``watch``, over fakes and an instance in memory."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from dagster_stage import DagsterStage
from fakes import Conditions
from pydantic import SecretStr

from schedules_pipeline.definitions import build_defs
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.maintenance.ports import PassName
from schedules_pipeline.sensors.watch import INTERVAL_SECONDS, find_failed_runs, watch_sensor
from schedules_pipeline.settings import Settings

_JOB = "tried"
_SETTINGS = Settings(redis_url=SecretStr("redis://redis.test/0"), first_date=date(2026, 1, 1))


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

    def tick(self) -> str:
        context = dg.build_sensor_context(
            instance=self.instance, definitions=self.definitions, resources={"pipeline": self.pipeline}
        )
        reason = watch_sensor(_SETTINGS)(context)
        self.clock.advance(timedelta(seconds=INTERVAL_SECONDS))
        assert isinstance(reason, dg.SkipReason)
        return str(reason.skip_message)

    def run(self, config: dict[str, object] | None = None) -> bool:
        """A run of the job ``reconcile``, which fails with an invalid configuration."""
        job = self.definitions.resolve_job_def("reconcile")
        return job.execute_in_process(
            instance=self.instance,
            raise_on_error=False,
            run_config={"ops": {"reconcile_share": {"config": config or {}}}},
        ).success


@pytest.fixture
def stage() -> Iterator[Stage]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Stage(instance)


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


def test_a_check_is_recorded_as_a_pass(stage: Stage) -> None:
    """Monitoring can see when the watch last checked."""
    stage.tick()

    assert stage.store.passes.all()[PassName.WATCH].latest.succeeded


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

        found = [find_failed_runs(instance, [_JOB], at_work) for at_work in ("", failed, started, "starting")]

    assert [[run.run_id for run in runs] for runs in found] == [[failed], [failed], [], [failed]]
