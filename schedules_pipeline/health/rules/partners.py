"""Conditions of the keyspace and of what is kept for partners."""

from collections.abc import Iterator
from datetime import datetime

from schedules_pipeline.health.condition import Condition, ConditionName, Severity, make_condition
from schedules_pipeline.health.facts import Facts, Thresholds
from schedules_pipeline.health.wording import count, duration, examples, instant
from schedules_pipeline.migration.ports import ServedSource


def find_empty_keyspace(facts: Facts) -> Iterator[Condition]:
    """Not while a coldstart fills it. A coldstart that found no schedule leaves a warning."""
    if facts.published or (facts.coldstart and not facts.coldstart.stage.is_final):
        return
    if facts.has_epoch:
        summary = "nothing is published: the source had no schedule at the last coldstart"
        yield make_condition(ConditionName.KEYSPACE_EMPTY, "the keyspace", summary, severity=Severity.WARNING)
    else:
        summary = "the keyspace is empty: nothing was built in it yet, and no coldstart fills it"
        yield make_condition(ConditionName.KEYSPACE_EMPTY, "the keyspace", summary)


def find_lost_partners(facts: Facts) -> Iterator[Condition]:
    """The watch remembers partners outside the store. A partner that an operator removes leaves a mark in the store."""
    if facts.dagster and facts.dagster.had_partners and not facts.has_partners:
        summary = (
            "the store has lost the partners, their keys and their subscriptions: every partner gets 401"
        )
        yield make_condition(ConditionName.PARTNERS_GONE, "partners", summary)


def find_quarantined_subscriptions(facts: Facts) -> Iterator[Condition]:
    if found := facts.push_quarantined:
        summary = f"{count(len(found), 'subscription')} quarantined until an operator resumes delivery"
        subject = ", ".join(sorted(found))
        yield make_condition(ConditionName.SUBSCRIPTIONS_QUARANTINED, subject, summary, examples(found))


def find_silent_old_system(facts: Facts, thresholds: Thresholds, now: datetime) -> Iterator[Condition]:
    """An old system that still serves partners must refresh; after the switch it only ends the comparisons."""
    at = facts.legacy_refreshed_at
    if at is not None and (age := now - at) > thresholds.legacy_after:
        serves = facts.served is ServedSource.LEGACY
        effect = "partners get its documents" if serves else "nothing can be compared"
        yield make_condition(
            ConditionName.OLD_SYSTEM_SILENT,
            "the old system",
            f"the old system has not refreshed for {duration(age)}; {effect}",
            {"refreshed": instant(at)},
            at,
            Severity.ERROR if serves else Severity.WARNING,
        )
