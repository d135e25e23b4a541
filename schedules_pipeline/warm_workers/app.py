"""The entrance of a worker: ``celery -A schedules_pipeline.warm_workers.app worker``."""

import os
import signal
from contextlib import suppress
from typing import Any

from celery import Task, signals
from celery.worker.state import active_requests
from dagster._utils.interrupts import capture_interrupts
from dagster_celery.tasks import create_execute_job_task

# Before the fork, so that no run waits for the import and the processes share its memory.
import schedules_pipeline.definitions  # noqa: F401
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


execute_job = create_execute_job_task(app, base=RunTask)  # type: ignore[arg-type]


@signals.worker_process_init.connect  # type: ignore[untyped-decorator]
def build_pipeline(**_: object) -> None:
    """Build the pipeline after the fork, because its clients must not be shared, and before the first run needs it."""
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
