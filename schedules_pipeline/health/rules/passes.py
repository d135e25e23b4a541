"""Conditions of full passes, coldstarts and Dagster's runs."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from schedules_pipeline.health.condition import Condition, ConditionName, Details, make_condition
from schedules_pipeline.health.facts import DIFFERED, Facts, Thresholds
from schedules_pipeline.health.rules.processes import is_dagster_known
from schedules_pipeline.health.wording import count, duration, example, examples, instant
from schedules_pipeline.maintenance.ports import STALLED_AFTER, Coldstart, PassName
from schedules_pipeline.maintenance.reconcile import MAY_WAIT

_COLDSTART_SHOWN_FOR = timedelta(minutes=10)
"""A short automatic coldstart must still be seen."""


def find_failed_runs(facts: Facts, now: datetime) -> Iterator[Condition]:
    if facts.dagster and is_dagster_known(facts, now) and (failed := facts.dagster.failed_runs):
        jobs = ", ".join(run.job for run in failed)
        evidence = {run.job: f"run {run.run_id}, {instant(run.ended_at)}" for run in failed}
        since = min(run.ended_at for run in failed)
        yield make_condition(
            ConditionName.RUNS_FAILED, jobs, f"the latest run failed of: {jobs}", evidence, since
        )


def find_failed_passes(facts: Facts) -> Iterator[Condition]:
    """Without the watch itself, whose failures are failed deliveries."""
    failed = {
        name.value: record.latest
        for name, record in facts.passes.items()
        if name is not PassName.WATCH and not record.latest.succeeded
    }
    if failed:
        names = ", ".join(sorted(failed))
        problems = {name: latest.problem for name, latest in failed.items()}
        since = min(latest.ended_at for latest in failed.values())
        yield make_condition(
            ConditionName.PASS_FAILED, names, f"the latest pass failed of: {names}", examples(problems), since
        )


def find_missed_passes(facts: Facts, thresholds: Thresholds, now: datetime) -> Iterator[Condition]:
    wanted: tuple[tuple[ConditionName, PassName, timedelta], ...] = (
        (ConditionName.COLLECTION_MISSED, PassName.COLLECTION, thresholds.collection_after),
        (ConditionName.RECONCILIATION_MISSED, PassName.RECONCILIATION, thresholds.reconciliation_after),
    )
    if facts.has_partners:
        wanted += ((ConditionName.STATE_EXPORT_OLD, PassName.STATE_EXPORT, thresholds.state_export_after),)
    for condition, name, after in wanted:
        record = facts.passes.get(name)
        last = record.latest_success.ended_at if record and record.latest_success else None
        if now - (last or facts.watched_since or now) > after:
            text = f"the last one ended {duration(now - last)} ago" if last else "none has ever succeeded"
            yield make_condition(
                condition,
                name.value,
                f"no {name.value.replace('_', ' ')} within {duration(after)}: {text}",
                since=last,
            )


def find_repaired_differences(facts: Facts) -> Iterator[Condition]:
    """Not those that a message announces which has waited in a queue since."""
    record = facts.passes.get(PassName.RECONCILIATION)
    counts = record.latest.counts if record else {}
    if record and (differed := counts.get(DIFFERED, 0) - counts.get(MAY_WAIT, 0)):
        summary = f"the latest reconciliation found and repaired {count(differed, 'difference')}"
        yield make_condition(
            ConditionName.RECONCILIATION_FOUND_DIFFERENCES,
            count(differed, "schedule"),
            summary,
            dict(record.latest.counts),
            record.latest.ended_at,
        )


def find_coldstart(facts: Facts, now: datetime) -> Iterator[Condition]:
    """An automatic coldstart, which an operator must know of, and one without progress.

    The coldstart that fills a new keyspace is ordinary.
    """
    coldstart = facts.coldstart
    if coldstart is None:
        return
    evidence, request = _progress(coldstart), coldstart.request
    is_recent = not coldstart.ended_at or now - coldstart.ended_at <= _COLDSTART_SHOWN_FOR
    if request.by_itself and not request.is_first and is_recent:
        summary = f"a coldstart began automatically: {example(request.reason)}"
        yield make_condition(
            ConditionName.COLDSTART_AUTOMATIC, "the keyspace", summary, evidence, request.requested_at
        )
    alive_at = coldstart.last_progress_at
    if not coldstart.stage.is_final and (silent := now - alive_at) > STALLED_AFTER:
        summary = (
            f"no worker has made progress with the coldstart for {duration(silent)}, {coldstart.left} left"
        )
        yield make_condition(
            ConditionName.COLDSTART_STALLED, f"coldstart {coldstart.id}", summary, evidence, alive_at
        )


def _progress(coldstart: Coldstart) -> Details:
    return {
        "id": coldstart.id,
        "stage": coldstart.stage.value,
        "total": coldstart.total,
        "left": coldstart.left,
        "failed": coldstart.failed,
        "problem": example(coldstart.problem),
    }
