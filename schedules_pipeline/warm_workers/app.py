"""The entrance of a worker: ``celery -A schedules_pipeline.warm_workers.app worker``."""

import os
import signal
from contextlib import suppress
from functools import cache
from typing import Any

import dagster as dg
from celery import Task, signals
from celery.worker.state import active_requests
from dagster._cli.api import _execute_run_command_body
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import unpack_value
from dagster._utils.interrupts import capture_interrupts
from dagster_celery.config import TASK_EXECUTE_JOB_NAME

# Before the fork, so that no run waits for the import and the processes share its memory.
import schedules_pipeline.definitions  # noqa: F401
from schedules_pipeline.pooled_postgres import keep_connections
from schedules_pipeline.resources import shared_pipeline
from schedules_pipeline.settings import load_settings
from schedules_pipeline.warm_workers.broker import BROKER_VARIABLE, celery_app

app = celery_app(os.environ[BROKER_VARIABLE])


class RunTask(Task):  # type: ignore[misc]
    """Executes a run, which SIGTERM interrupts at any point."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            with capture_interrupts():
                return super().__call__(*args, **kwargs)
        finally:
            # Dagster leaves the signal ignored, and then an idle process could not be stopped.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


@app.task(base=RunTask, name=TASK_EXECUTE_JOB_NAME)  # type: ignore[untyped-decorator]
def execute_job(execute_job_args_packed: Any) -> int:
    """Execute a run as the task of ``dagster-celery`` does, which opens an instance for each run."""
    arguments = unpack_value(execute_job_args_packed, as_type=ExecuteRunArgs)
    return _execute_run_command_body(arguments.run_id, _instance(), lambda _: None, True)


@cache
def _instance() -> dg.DagsterInstance:
    """The instance of this process. Opening one takes 0.15 s. Dagster's Helm chart always names Dagster's own storage,
    so connections are kept open here, too.
    """
    instance = dg.DagsterInstance.get()
    keep_connections(instance.run_storage, instance.event_log_storage, instance.schedule_storage)
    return instance


@signals.worker_process_init.connect  # type: ignore[untyped-decorator]
def prepare_process(**_: object) -> None:
    """Prepare what a run needs: after the fork, because connections must not be shared, and before the first run."""
    _instance()
    shared_pipeline(load_settings())


@signals.worker_shutting_down.connect  # type: ignore[untyped-decorator]
def interrupt_runs(**_: object) -> None:
    """Interrupt the runs of a worker that is told to stop: a publisher would keep it for an hour.

    The worker acknowledges their messages and ends.
    """
    for request in list(active_requests):
        if request.worker_pid:
            with suppress(ProcessLookupError):
                os.kill(request.worker_pid, signal.SIGTERM)
