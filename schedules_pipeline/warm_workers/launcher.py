"""The run launcher of a Dagster instance whose runs are tasks of standing Celery workers."""

import time
from collections.abc import Mapping
from typing import Any, Self

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClass, ConfigurableClassData, pack_value
from dagster_celery.config import TASK_EXECUTE_JOB_NAME
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from schedules_pipeline.warm_workers.broker import QUEUE, celery_app

_PATIENCE_SECONDS = 3.0
_VALID_SECONDS = 5.0
"""Run monitoring checks all runs one after the other, and every question lasts as long as its patience."""

_DEAD_AFTER_SECONDS = 20.0
"""So long no worker names a run before it counts as dead. A busy worker may miss a question, and after a restart of the
broker all of them do.
"""


class WarmRunLauncher(RunLauncher, ConfigurableClass):
    """Starts runs as Celery tasks, and asks the workers which runs they execute.

    ``dagster_celery.launcher.CeleryRunLauncher`` reads the state of a task from a store of results instead. A killed
    worker leaves the state ``STARTED`` there, so Dagster would show its runs as started for ever.
    """

    def __init__(self, broker: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self.celery = celery_app(broker)
        self._executed: frozenset[str] = frozenset()
        self._asked_at = -_VALID_SECONDS
        self._missed_at: dict[str, float] = {}
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {"broker": dg.Field(dg.StringSource, description="The address of the broker's Redis.")}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        return cls(inst_data=inst_data, **config_value)

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def launch_run(self, context: LaunchRunContext) -> None:
        """Send the run to the workers. The task has the id of the run."""
        run = context.dagster_run
        if run.job_code_origin is None:
            raise dg.DagsterInvariantViolationError(f"run {run.run_id} names no code")
        arguments = ExecuteRunArgs(run.job_code_origin, run.run_id, self._instance.get_ref())
        # Before the task is sent, because a run without the tag is not asked for.
        self._instance.add_run_tags(run.run_id, {DAGSTER_CELERY_TASK_ID_TAG: run.run_id})
        self.celery.send_task(
            TASK_EXECUTE_JOB_NAME,
            kwargs={"execute_job_args_packed": pack_value(arguments)},
            queue=QUEUE,
            task_id=run.run_id,
        )

    def terminate(self, run_id: str) -> bool:
        """Interrupt a run, or keep its task from being started. False if the run has ended."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        self.celery.control.terminate(run_id, signal="SIGTERM")
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether a worker executes the run. It counts as dead after some checks in which none named it.

        A run without a task was not launched by this launcher. Raises an error of the broker's client if the
        broker cannot be reached; then Dagster checks again later.
        """
        if DAGSTER_CELERY_TASK_ID_TAG not in run.tags or self._is_executed(run.run_id):
            self._missed_at.pop(run.run_id, None)
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        now = time.monotonic()
        if now - self._missed_at.setdefault(run.run_id, now) < _DEAD_AFTER_SECONDS:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        del self._missed_at[run.run_id]
        return CheckRunHealthResult(WorkerStatus.FAILED, "no Celery worker executes the run")

    def _is_executed(self, run_id: str) -> bool:
        if time.monotonic() - self._asked_at >= _VALID_SECONDS or run_id not in self._executed:
            self._ask()
        return run_id in self._executed

    def _ask(self) -> None:
        """Ask all workers for the ids of their runs."""
        answers = self.celery.control.inspect(timeout=_PATIENCE_SECONDS).active() or {}
        self._executed = frozenset(task["id"] for tasks in answers.values() for task in tasks)
        self._asked_at = time.monotonic()
