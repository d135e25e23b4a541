"""Conditions of the work queue and of schedules."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from schedules_pipeline.domain.causes import Origin
from schedules_pipeline.health.condition import Condition, ConditionName, Severity, make_condition
from schedules_pipeline.health.facts import Facts, Thresholds
from schedules_pipeline.health.wording import count, duration, examples
from schedules_pipeline.publishing.check_schedules import CheckName

_PUBLISHER_MISSED_AFTER = timedelta(seconds=30)
_CHANGES = {Origin.SCHEDULE, Origin.CATALOGUE, Origin.OPERATOR}
"""Origins of changes that someone waits for. Full passes have conditions of their own."""
_CHECKS_WITH_A_CONDITION = {CheckName.IS_BUILT, CheckName.MATCHES_LEGACY}


def find_publishing(facts: Facts, thresholds: Thresholds, now: datetime) -> Iterator[Condition]:
    """Work that is due and not done: no publisher is at work, or it is too slow; and changes that are late."""
    backlog = facts.backlog
    overdue = now - backlog.oldest_due_at if backlog.oldest_due_at else timedelta(0)
    numbers = {"dirty": backlog.pending, "in progress": backlog.in_progress, "waiting": backlog.waiting}
    due = f"{count(backlog.pending, 'schedule')} to be built, the first due for {duration(overdue)}"
    if not (facts.publishers.running or facts.publishers.leaving):
        if overdue > _PUBLISHER_MISSED_AFTER:
            summary = f"no publisher is at work: {due}"
            yield make_condition(
                ConditionName.PUBLISHER_MISSING, "the publisher", summary, numbers, backlog.oldest_due_at
            )
    elif overdue > thresholds.backlog_after:
        yield make_condition(
            ConditionName.BACKLOG_GROWING, "the work queue", due, numbers, backlog.oldest_due_at
        )
    changes = [since for origin, since in facts.pending_since.items() if origin in _CHANGES]
    if changes and (lag := now - min(changes)) > thresholds.late_after:
        summary = f"a change has been waiting for {duration(lag)} to be published"
        yield make_condition(ConditionName.SCHEDULES_LATE, "the work queue", summary, numbers, min(changes))


def find_late_records(facts: Facts, thresholds: Thresholds, now: datetime) -> Iterator[Condition]:
    """Partners have the versions; Dagster does not show them. Without a publisher, that one is the cause."""
    since = facts.unrecorded_since
    at_work = facts.publishers.running or facts.publishers.leaving
    if at_work and since is not None and (lag := now - since) > thresholds.records_after:
        summary = f"a published version has been waiting for {duration(lag)} to be recorded in Dagster"
        yield make_condition(ConditionName.RECORDS_LATE, "Dagster's records", summary, {}, since)


def find_quarantined(facts: Facts) -> Iterator[Condition]:
    if found := {str(key): reason for key, reason in facts.quarantined.items()}:
        subject = count(len(found), "schedule")
        summary = f"{subject} failed too often; partners see the last good version"
        yield make_condition(ConditionName.SCHEDULES_QUARANTINED, subject, summary, examples(found))


def find_failing_checks(facts: Facts) -> Iterator[Condition]:
    failing = {
        f"{key} {check}": reason
        for (key, check), reason in facts.failing_checks.items()
        if check not in _CHECKS_WITH_A_CONDITION
    }
    if failing:
        subject = count(len(failing), "check")
        yield make_condition(
            ConditionName.CHECKS_FAILED, subject, f"{subject} failed as an error", examples(failing)
        )


def find_differing(facts: Facts, thresholds: Thresholds) -> Iterator[Condition]:
    found = facts.differing
    if found.differing:
        summary = f"{found.differing} of {count(found.compared, 'schedule')} differ from the old system"
        differing = {str(key): count(amount, "difference") for key, amount in found.examples.items()}
        yield make_condition(
            ConditionName.DIFFERS_FROM_THE_OLD_SYSTEM,
            count(found.differing, "schedule"),
            summary,
            examples(differing),
            severity=Severity.ERROR if thresholds.difference_is_error else Severity.WARNING,
        )
