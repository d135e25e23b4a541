"""Judges facts: which conditions hold. Pure.

One cause makes one condition where possible: a check that repeats another condition is left to that one, and messages
that wait during a coldstart are normal.
"""

from datetime import datetime

from schedules_pipeline.health.condition import ConditionName, Findings
from schedules_pipeline.health.facts import Facts, Thresholds
from schedules_pipeline.health.rules import inputs, partners, passes, work


def find_conditions(facts: Facts, thresholds: Thresholds, now: datetime) -> Findings:
    """Every condition that holds, at most one for each name."""
    found = (
        *inputs.find_unreachable(facts),
        *work.find_publishing(facts, thresholds, now),
        *work.find_quarantined(facts),
        *work.find_failing_checks(facts),
        *work.find_differing(facts, thresholds),
        *inputs.find_undrained_queues(facts, thresholds, now),
        *inputs.find_dead_letters(facts),
        *inputs.find_rejected(facts),
        *inputs.find_quarantined_broadcasts(facts),
        *inputs.find_held_losses(facts, now),
        *inputs.find_unusual_blanking(facts, thresholds),
        *passes.find_failed_runs(facts),
        *passes.find_failed_passes(facts),
        *passes.find_missed_passes(facts, thresholds, now),
        *passes.find_repaired_differences(facts),
        *passes.find_coldstart(facts, now),
        *partners.find_quarantined_subscriptions(facts),
        *partners.find_silent_processes(facts, now),
    )
    return Findings(found, _undecided(facts))


def _undecided(facts: Facts) -> frozenset[ConditionName]:
    """A condition of a queue cannot be cleared while the queue does not answer."""
    queues = {ConditionName.QUEUE_NOT_DRAINED: facts.queues, ConditionName.DEAD_LETTERS: facts.dead_letters}
    return frozenset(name for name, answers in queues.items() if None in answers.values())
