"""Ends runs that Dagster has stored and then refused to launch.

If a person executes a run again whose first or last date is gone, Dagster answers *Nonexistent partition keys*, and
leaves a run that is *Not started* for ever. Its own run monitoring ends only runs that were handed to a launcher.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

import dagster as dg

LAUNCHED_WITHIN = timedelta(minutes=10)
"""Before it launches a run, Dagster stores the events that plan its partitions, which takes minutes for thousands."""
_AT_ONCE = 20
_MESSAGE = (
    "Never launched: Dagster refused it when it was requested, most likely because the first or last of its "
    "partitions is gone. Materialise the partitions that are left."
)


def end_refused_runs(instance: dg.DagsterInstance, jobs: Collection[str], now: datetime) -> int:
    """Cancel the runs of these jobs that were not launched in time, and tell why in their logs. Returns their number.

    They are canceled rather than failed, because they do not say whether their jobs work.
    """
    refused = dg.RunsFilter(statuses=[dg.DagsterRunStatus.NOT_STARTED], created_before=now - LAUNCHED_WITHIN)
    runs = [run for run in instance.get_runs(refused, limit=_AT_ONCE) if run.job_name in jobs]
    for run in runs:
        instance.report_run_canceled(run, _MESSAGE)
    return len(runs)
