"""The sensor of the watch. It records what only Dagster knows, and shows the result as an asset check.

The watch itself is in ``health/watch.py``.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import dagster as dg
import structlog
from pydantic import TypeAdapter, ValidationError

from schedules_pipeline.assets.health import evaluate
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.health.incidents import Phase
from schedules_pipeline.health.watch import WatchReport
from schedules_pipeline.sensors.dagster_snapshot import WATCH, take_snapshot
from schedules_pipeline.sensors.missing_redis import find_missing_redis
from schedules_pipeline.sensors.refused_runs import end_refused_runs
from schedules_pipeline.settings import Settings

INTERVAL_SECONDS = 30

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
_EVALUATED_EVERY = timedelta(hours=1)
"""So that the age of the latest evaluation shows whether the watch runs."""


@dataclass(frozen=True, slots=True)
class WatchMemory:
    """What the sensor keeps outside the store. ``shown``: the conditions of the latest evaluation of the check."""

    had_partners: bool = False
    shown: str = "not yet"
    shown_at: datetime | None = None


_CURSOR = TypeAdapter(WatchMemory)


def watch_sensor(settings: Settings) -> dg.SensorDefinition:
    """Watches every job of the code location, including Dagster's own job for materialisations by hand."""

    @dg.sensor(
        name=WATCH,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Checks the health of the pipeline, shows it as the check is_healthy, and tells operators when a problem "
            "begins and when it ends."
        ),
    )
    def watch(
        context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]
    ) -> dg.SensorResult | dg.SkipReason:
        if hint := find_missing_redis(settings, pipeline):
            return dg.SkipReason(hint)
        jobs = context.repository_def.job_names if context.repository_def else ()
        end_refused_runs(context.instance, jobs, pipeline.clock())
        memory = parse_cursor(context.cursor)
        memory = replace(memory, had_partners=memory.had_partners or _has_partners(pipeline))
        report = pipeline.watch.check(take_snapshot(context, pipeline, had_partners=memory.had_partners))
        for phase, incidents in ((Phase.RAISED, report.raised), (Phase.CLEARED, report.cleared)):
            for incident in incidents:
                context.log.warning(f"{phase} {incident.name}: {incident.summary}")
                _log.warning("alarm", alarm=incident.name, phase=phase, summary=incident.summary)
        return _result(report, memory)

    return watch


def parse_cursor(cursor: str | None) -> WatchMemory:
    """The memory of the last tick; an empty one if there is none, or none that can be decoded."""
    try:
        return _CURSOR.validate_json(cursor) if cursor else WatchMemory()
    except ValidationError:
        return WatchMemory()


def _has_partners(pipeline: Pipeline) -> bool:
    """False if the store does not answer; the check then reports that."""
    try:
        return pipeline.store.partners.was_ever_used()
    except ServiceError:
        return False


def _result(report: WatchReport, memory: WatchMemory) -> dg.SensorResult:
    """With an evaluation of the check when the conditions have changed, and every hour."""
    checkup = report.lasting
    shown = ", ".join(f"{each.name} {each.severity}" for each in checkup.conditions)
    is_due = memory.shown_at is None or checkup.at - memory.shown_at >= _EVALUATED_EVERY
    if shown == memory.shown and not is_due:
        return dg.SensorResult(skip_reason=describe(report), cursor=_dump(memory))
    memory = replace(memory, shown=shown, shown_at=checkup.at)
    return dg.SensorResult(
        skip_reason=describe(report), cursor=_dump(memory), asset_events=[evaluate(checkup)]
    )


def _dump(memory: WatchMemory) -> str:
    return _CURSOR.dump_json(memory).decode()


def describe(report: WatchReport) -> str:
    """One line for the list of ticks."""
    problems = ", ".join(incident.name for incident in report.open) or "none"
    sent = f"; sent {len(report.raised)} alarms and {len(report.cleared)} all-clears"
    waiting = f"; some notices wait, {report.problem}" if report.problem else ""
    return f"problems: {problems}{sent}{waiting}"
