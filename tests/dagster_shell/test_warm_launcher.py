"""The run launcher for standing Celery workers, on a real broker without a worker."""

from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus
from fakes import FakeClock
from redis import Redis

from demo.servers import RedisServer

launchers = pytest.importorskip(
    "schedules_pipeline.warm_workers.launcher",
    reason="the extra celery is not installed",
    exc_type=ImportError,
)


@pytest.fixture
def instance(
    redis_client: Redis, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dg.DagsterInstance]:
    """An instance whose launcher has the run's own Redis as broker."""
    home = tmp_path_factory.mktemp("dagster")
    (home / "dagster.yaml").write_text(
        "run_launcher:\n"
        "  module: schedules_pipeline.warm_workers.launcher\n"
        "  class: WarmRunLauncher\n"
        f"  config:\n    broker: {redis_server.url}\n"
        "telemetry:\n  enabled: false\n"
    )
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The monotonic clock of the launcher, which asks workers only for a moment."""
    clock = FakeClock()
    monkeypatch.setattr(launchers, "_PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(launchers, "time", SimpleNamespace(monotonic=lambda: clock().timestamp()))
    return clock


def _run(instance: dg.DagsterInstance, **tags: str) -> dg.DagsterRun:
    job = dg.JobDefinition(name="job", graph_def=dg.GraphDefinition("job"))
    return instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags)


def test_a_run_that_no_worker_executes_for_a_while_is_dead(
    instance: dg.DagsterInstance, clock: FakeClock
) -> None:
    """One question that no worker answers decides nothing: all may be connecting to their broker again."""
    run = _run(instance, **{"dagster-celery/task_id": "task"})

    first = instance.run_launcher.check_run_worker_health(run)
    clock.advance(timedelta(seconds=15))
    second = instance.run_launcher.check_run_worker_health(run)
    clock.advance(timedelta(seconds=15))
    third = instance.run_launcher.check_run_worker_health(run)

    statuses = [found.status for found in (first, second, third)]
    assert statuses == [WorkerStatus.RUNNING, WorkerStatus.RUNNING, WorkerStatus.FAILED]


def test_a_run_that_a_worker_names_again_is_alive(
    instance: dg.DagsterInstance, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker missed some questions, and the time of the next ones counts from the first of them."""
    run, launcher = _run(instance, **{"dagster-celery/task_id": "task"}), instance.run_launcher
    answers: list[set[str]] = [set(), {run.run_id}, set()]
    monkeypatch.setattr(launcher, "_is_executed", lambda run_id: run_id in answers.pop(0))

    for _ in range(3):
        assert launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING
        clock.advance(timedelta(seconds=15))


def test_a_run_that_was_not_sent_to_a_worker_is_left_alone(instance: dg.DagsterInstance) -> None:
    """Another process executes it, such as a command line that was given the instance."""
    run = _run(instance)

    assert instance.run_launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING


def test_a_dead_run_is_not_resumed(instance: dg.DagsterInstance) -> None:
    """The next run continues its work."""
    assert not instance.run_launcher.supports_resume_run


def test_an_ended_run_cannot_be_terminated(instance: dg.DagsterInstance) -> None:
    """The answer is False, and the run keeps its end."""
    run = _run(instance)
    instance.report_run_failed(run)

    assert not instance.run_launcher.terminate(run.run_id)
    assert not instance.run_launcher.terminate("unknown")


def test_a_run_is_canceling_as_soon_as_it_is_terminated(instance: dg.DagsterInstance) -> None:
    """Dagster shows it before the worker has interrupted it."""
    run = _run(instance)

    assert instance.run_launcher.terminate(run.run_id)
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    assert found.status is dg.DagsterRunStatus.CANCELING
