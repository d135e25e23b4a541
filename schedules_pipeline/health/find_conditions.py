"""Judges facts: which conditions hold. Pure.

One cause makes one condition where possible: a check that repeats another condition is left to that one, and messages
that wait during a coldstart are normal.
"""

from datetime import datetime

from schedules_pipeline.health.condition import ConditionName, Findings
from schedules_pipeline.health.facts import LEGACY, Facts, Thresholds
from schedules_pipeline.health.rules import inputs, partners, passes, processes, servers, work

_OF_DAGSTER = (
    *(ConditionName.DAEMON_SILENT, ConditionName.SENSORS_OFF, ConditionName.RUNS_FAILED),
    ConditionName.EVENTS_UNSUBSCRIBED,
)


def find_conditions(facts: Facts, thresholds: Thresholds, now: datetime) -> Findings:
    """Every condition that holds, at most one for each name."""
    found = (
        *servers.find_server_defects(facts),
        *servers.find_lost_writes(facts, now),
        *partners.find_empty_keyspace(facts),
        *partners.find_lost_partners(facts),
        *inputs.find_unreachable(facts),
        *work.find_publishing(facts, thresholds, now),
        *work.find_late_records(facts, thresholds, now),
        *work.find_quarantined(facts),
        *work.find_failing_checks(facts),
        *work.find_differing(facts, thresholds),
        *inputs.find_undrained_queues(facts, thresholds, now),
        *inputs.find_misconfigured_queues(facts),
        *inputs.find_unheard_sources(facts, now),
        *inputs.find_dead_letters(facts),
        *inputs.find_rejected(facts),
        *inputs.find_quarantined_broadcasts(facts),
        *inputs.find_held_losses(facts, now),
        *inputs.find_unusual_blanking(facts, thresholds),
        *passes.find_failed_runs(facts, now),
        *passes.find_failed_passes(facts),
        *passes.find_missed_passes(facts, thresholds, now),
        *passes.find_repaired_differences(facts),
        *passes.find_coldstart(facts, now),
        *partners.find_quarantined_subscriptions(facts),
        *partners.find_silent_old_system(facts, thresholds, now),
        *processes.find_silent_watch(facts, now),
        *processes.find_silent_daemons(facts, now),
        *processes.find_sensors_off(facts, now),
        *processes.find_silent_processes(facts, now),
    )
    return Findings(found, _undecided(facts, now))


def _undecided(facts: Facts, now: datetime) -> frozenset[ConditionName]:
    """A condition cannot be cleared while its source does not answer, or while nobody reports what Dagster knows."""
    unknown = {
        ConditionName.QUEUE_NOT_DRAINED: None in facts.queues.values(),
        ConditionName.QUEUE_MISCONFIGURED: None in facts.queues.values(),
        ConditionName.DEAD_LETTERS: None in facts.dead_letters.values(),
        ConditionName.OLD_SYSTEM_SILENT: LEGACY in facts.unreachable,
        **dict.fromkeys(
            _OF_DAGSTER, facts.dagster is not None and not processes.is_dagster_known(facts, now)
        ),
    }
    return frozenset(name for name, is_unknown in unknown.items() if is_unknown)
