"""The tags by which a user of Dagster finds a run: what triggered it, its cause, its services."""

from collections.abc import Sequence

import dagster as dg

from schedules_pipeline.domain.causes import Cause
from schedules_pipeline.domain.identifiers import ScheduleKey

TRIGGER, CAUSE, SERVICES = "schedules/trigger", "schedules/cause", "schedules/services"
WRITTEN, LAUNCHED = {"user": "publisher"}, {"user": "operator"}
"""Of a run that a publisher wrote and that was never launched; of one that a person launched. Dagster shows it as who
launched the run.
"""

OPERATOR = "operator"
_NAMED = 3


def run_tags(trigger: str, cause: str, keys: Sequence[ScheduleKey] = ()) -> dict[str, str]:
    """Tags of a run that a person, a timer or a sensor has launched, without empty ones."""
    tags = {TRIGGER: trigger, CAUSE: cause, SERVICES: name_some(sorted({str(key.sid) for key in keys}))}
    return {name: value for name, value in tags.items() if value}


def describe_causes(causes: Sequence[Cause]) -> str:
    return name_some(list(dict.fromkeys(f"{cause.origin.value} {cause.subject}" for cause in causes)))


def name_some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def is_written(run: dg.DagsterRun) -> bool:
    """Whether a publisher wrote this run. A run that executes such a run again has its tags, and a parent."""
    return run.tags.items() >= WRITTEN.items() and run.parent_run_id is None
