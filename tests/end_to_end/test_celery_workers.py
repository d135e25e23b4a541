"""A stream of changes while the standing Celery workers that execute the publishers are killed, one after the other.

The servers are real: a broker of its own, Postgres, the emulator, Dagster's code server and daemon, and three workers.
The instance is ``deploy/celery/dagster.yaml``.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from celery_workers import Worker
from end_to_end.changes_stage import built_from_scratch, changes_of_titles, publish_everything, wait_until
from workers import assert_announced_once, contents

from demo.dagster_services import CodeServer, Daemon
from demo.sample import Sample
from demo.upstream import Upstream
from schedules_pipeline.connections import build_pipeline
from schedules_pipeline.domain.identifiers import ScheduleKey, Sid
from schedules_pipeline.jobs.publish_affected import JOB_NAME
from schedules_pipeline.publishing.ports.upstream import QueueDepth
from schedules_pipeline.settings import Settings

pytest.importorskip("dagster_celery", reason="the extra celery is not installed")
pytestmark = [pytest.mark.end_to_end, pytest.mark.slow]

_WORKERS = 3
_CHANGES_BEFORE_A_KILL = 8


@dataclass(frozen=True)
class _Execution:
    """A run that a worker executes, and the process in which it does so."""

    worker: Worker
    pid: int
    run_id: str


class _Fleet:
    """Three workers, and what they execute. ``lost``: the runs that a killed worker or process had."""

    def __init__(self, instance: dg.DagsterInstance, workers: list[Worker]) -> None:
        self._instance = instance
        self._workers = {worker.host: worker for worker in workers}
        self._seen: set[str] = set()
        self.lost: set[str] = set()

    def publisher(self) -> _Execution | None:
        """A publisher that a worker executes and that was not returned before, if it has reported its start."""
        launcher: Any = self._instance.run_launcher
        active = launcher.celery.control.inspect(timeout=1).active() or {}
        for run in self._instance.get_runs(
            dg.RunsFilter(job_name=JOB_NAME, statuses=[dg.DagsterRunStatus.STARTED])
        ):
            for host, tasks in active.items():
                for task in tasks:
                    if task["id"] == run.run_id and run.run_id not in self._seen:
                        self._seen.add(run.run_id)
                        return _Execution(self._workers[host], task["worker_pid"], run.run_id)
        return None

    def kill_worker(self, execution: _Execution) -> None:
        """Kill the whole worker with all its runs, and start it again."""
        execution.worker.kill()
        self.lost |= {execution.run_id, *execution.worker.unfinished_runs()}
        execution.worker.launch_again()

    def kill_process(self, execution: _Execution) -> None:
        """Kill the process of the run, as the kernel does when memory is short. The worker stays."""
        self.lost.add(execution.run_id)
        os.kill(execution.pid, signal.SIGKILL)


@pytest.fixture
def instance(celery_environment: dict[str, str]) -> Iterator[dg.DagsterInstance]:
    """The instance that this environment names."""
    with dg.DagsterInstance.from_config(celery_environment["DAGSTER_HOME"]) as instance:
        yield instance


@pytest.mark.long
def test_killed_workers_lose_no_change_and_leave_no_run_behind(
    celery_environment: dict[str, str],
    instance: dg.DagsterInstance,
    upstream: Upstream,
    sample: Sample,
    tmp_path: Path,
) -> None:
    """Every document ends as a build from scratch gives it, is announced once, and the killed runs alone failed."""
    pipeline = build_pipeline(Settings())
    publish_everything(pipeline, sample)

    with ExitStack() as stack:
        workers = [
            stack.enter_context(Worker(f"worker{n}", tmp_path, celery_environment)) for n in range(_WORKERS)
        ]
        code_server = stack.enter_context(CodeServer(tmp_path, celery_environment))
        stack.enter_context(Daemon(tmp_path, celery_environment, code_server.write_workspace()))
        fleet, put_change = _Fleet(instance, workers), changes_of_titles(upstream, sample)
        killed = [
            _kill_in_the_stream(fleet, put_change, kill)
            for kill in (fleet.kill_worker, fleet.kill_process, fleet.kill_worker)
        ]
        # A killed publisher had received messages, which come again after their visibility timeout.
        wait_until(lambda: _is_drained(pipeline.upstreams.catalogue_queue.depth()))
        wait_until(lambda: pipeline.store.work.backlog().is_empty and pipeline.store.feed.unrecorded() == 0)
        wait_until(
            lambda: {_status(instance, execution) for execution in killed} == {dg.DagsterRunStatus.FAILURE}
        )

    keys = [ScheduleKey(Sid(sid), day) for sid, day in sample.schedules]
    assert contents(pipeline, keys) == built_from_scratch(keys)
    assert_announced_once(pipeline)
    failures = _failures(instance)
    assert {execution.run_id for execution in killed} <= failures.keys() <= fleet.lost, failures
    assert not instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    _assert_the_message_came_back(instance, killed[1])


@pytest.mark.long
def test_a_run_can_be_terminated_and_a_worker_stops_with_its_runs(
    celery_environment: dict[str, str],
    instance: dg.DagsterInstance,
    upstream: Upstream,
    sample: Sample,
    tmp_path: Path,
) -> None:
    """The worker outlives a run that an operator terminates, and ends after SIGTERM although a publisher lingers."""
    celery_environment["SCHEDULES_PUBLISHER_LINGER_SECONDS"] = "900"
    publish_everything(build_pipeline(Settings()), sample)
    put_change = changes_of_titles(upstream, sample)

    with ExitStack() as stack:
        worker = stack.enter_context(Worker("worker", tmp_path, celery_environment))
        code_server = stack.enter_context(CodeServer(tmp_path, celery_environment))
        stack.enter_context(Daemon(tmp_path, celery_environment, code_server.write_workspace()))
        fleet = _Fleet(instance, [worker])
        terminated = _publisher_at_work(fleet, put_change)
        assert instance.run_launcher.terminate(terminated.run_id)
        wait_until(lambda: _status(instance, terminated) is dg.DagsterRunStatus.CANCELED)
        stopped = _publisher_at_work(fleet, put_change)
        os.kill(worker.pid, signal.SIGTERM)
        wait_until(lambda: worker.exit_status == 0)
        assert _status(instance, stopped) in {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE}


def _is_drained(queue: QueueDepth) -> bool:
    return queue.waiting == queue.in_flight == 0


def _kill_in_the_stream(
    fleet: _Fleet, put_change: Callable[[], None], kill: Callable[[_Execution], None]
) -> _Execution:
    """Kill a publisher amid changes, and return what was killed."""
    execution = _publisher_at_work(fleet, put_change)
    for _ in range(_CHANGES_BEFORE_A_KILL):
        put_change()
    kill(execution)
    for _ in range(_CHANGES_BEFORE_A_KILL):
        put_change()
    return execution


def _publisher_at_work(fleet: _Fleet, put_change: Callable[[], None]) -> _Execution:
    """Put changes until a worker executes a publisher."""
    found: list[_Execution] = []

    def publisher_is_at_work() -> bool:
        put_change()
        found.extend(filter(None, [fleet.publisher()]))
        return bool(found)

    wait_until(publisher_is_at_work)
    return found[0]


def _status(instance: dg.DagsterInstance, execution: _Execution) -> dg.DagsterRunStatus | None:
    run = instance.get_run_by_id(execution.run_id)
    return None if run is None else run.status


def _failures(instance: dg.DagsterInstance) -> dict[str, list[str]]:
    """The runs that failed, and what Dagster's engine says of each."""
    runs = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
    kinds = {dg.DagsterEventType.ENGINE_EVENT, dg.DagsterEventType.RUN_FAILURE}
    return {
        run.run_id: [entry.message for entry in instance.all_logs(run.run_id, of_type=kinds)] for run in runs
    }


def _assert_the_message_came_back(instance: dg.DagsterInstance, killed: _Execution) -> None:
    """The message of a dead process was delivered again, and Dagster ignored the run's second start."""
    messages = [entry.message for entry in instance.all_logs(killed.run_id)]
    assert any("Ignoring a" in message for message in messages), messages
