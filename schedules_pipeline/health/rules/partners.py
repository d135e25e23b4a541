"""Conditions of what partners get: subscriptions, and the processes that serve them."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from schedules_pipeline.health.condition import Condition, ConditionName, make_condition
from schedules_pipeline.health.facts import Facts
from schedules_pipeline.health.wording import count, duration, examples, instant

_HEARTBEAT_MISSED_AFTER = timedelta(minutes=2)
_HEARTBEAT_FORGOTTEN_AFTER = timedelta(days=7)
"""A process that was switched off for good must not be reported for ever."""


def find_quarantined_subscriptions(facts: Facts) -> Iterator[Condition]:
    if found := facts.push_quarantined:
        summary = f"{count(len(found), 'subscription')} quarantined until an operator resumes delivery"
        subject = ", ".join(sorted(found))
        yield make_condition(ConditionName.SUBSCRIPTIONS_QUARANTINED, subject, summary, examples(found))


def find_silent_processes(facts: Facts, now: datetime) -> Iterator[Condition]:
    """A kind of process without any heartbeat is not used in this installation.

    After an outage of the store the processes get two checks to report again.
    """
    silent = {
        process: at
        for process, at in sorted(facts.heartbeats.items())
        if _HEARTBEAT_MISSED_AFTER < now - at <= _HEARTBEAT_FORGOTTEN_AFTER
    }
    if silent:
        summary = ", ".join(f"{process} for {duration(now - at)}" for process, at in silent.items())
        evidence = {process.value: instant(at) for process, at in silent.items()}
        yield make_condition(
            ConditionName.DELIVERY_SILENT,
            ", ".join(silent),
            f"no heartbeat: {summary}",
            evidence,
            min(silent.values()),
        )
