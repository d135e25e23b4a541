"""The Celery application that the launcher and the workers share."""

from celery import Celery
from dagster_celery.make_app import make_app

BROKER_VARIABLE = "DAGSTER_CELERY_BROKER_URL"
QUEUE = "dagster"
_LONGEST_RUN_SECONDS = 43_200
_LONGEST_START_SECONDS = 60.0
_RECONNECTS = 3
_RUNS_OF_A_PROCESS = 20


def celery_app(broker_url: str) -> Celery:
    """An application on the broker, without a store of results, because Dagster's run has the result.

    A message is acknowledged after its run has ended, and put back if the process of the run dies. Redis delivers a
    message of a dead worker again after ``_LONGEST_RUN_SECONDS``, which no run exceeds: an earlier delivery would
    occupy a second worker with a run that is still executed by the first.
    """
    app = make_app(  # type: ignore[no-untyped-call]
        {"broker": broker_url, "backend": "disabled", "task_default_queue": QUEUE}
    )
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        # A publisher excludes what is in memory from garbage collections, so a process is replaced after some runs.
        worker_max_tasks_per_child=_RUNS_OF_A_PROCESS,
        # A process builds the pipeline when it starts.
        worker_proc_alive_timeout=_LONGEST_START_SECONDS,
        worker_redirect_stdouts=False,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "visibility_timeout": _LONGEST_RUN_SECONDS,
            "max_retries": _RECONNECTS,
            "interval_start": 0,
            "interval_step": 0.2,
            "interval_max": 0.5,
            "socket_keepalive": True,
        },
    )
    return app
