"""One check of health: facts are gathered and judged. Every view of health renders its result."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.health.condition import Condition, ConditionName, Findings, Severity, make_condition
from schedules_pipeline.health.facts import Thresholds
from schedules_pipeline.health.find_conditions import find_conditions
from schedules_pipeline.health.gather import gather_facts
from schedules_pipeline.health.ports import DagsterSnapshot, HealthStore
from schedules_pipeline.migration.ports import MigrationSources


@dataclass(frozen=True, slots=True)
class Checkup:
    """The conditions that held at an instant, the worst first."""

    at: datetime
    findings: Findings

    @property
    def conditions(self) -> list[Condition]:
        return sorted(self.findings.conditions, key=lambda each: (each.severity.rank, each.name))

    @property
    def worst(self) -> Severity | None:
        return next((condition.severity for condition in self.conditions), None)


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """Reads only; any process may check."""

    store: HealthStore
    sources: MigrationSources
    clock: Clock
    thresholds: Thresholds = field(default_factory=Thresholds)

    def check(self, dagster: DagsterSnapshot | None = None) -> Checkup:
        """``dagster``: the instance as it is now, in place of what the watch has recorded of it.

        Raises :class:`ServiceError` if the store does not answer.
        """
        now = self.clock()
        facts = gather_facts(self.store, self.sources, now)
        if dagster is not None:
            recorded = facts.dagster or dagster
            current = replace(
                dagster,
                failed_runs=recorded.failed_runs,
                had_partners=recorded.had_partners,
                unheard=recorded.unheard,
            )
            facts = replace(facts, dagster=current)
        return Checkup(now, find_conditions(facts, self.thresholds, now))

    def check_or_report_outage(self, dagster: DagsterSnapshot | None = None) -> Checkup:
        """Like :meth:`check`; a store that does not answer is the only condition that can be judged."""
        try:
            return self.check(dagster)
        except ServiceError as error:
            return Checkup(self.clock(), find_outage(error))


def find_outage(error: ServiceError) -> Findings:
    condition = make_condition(ConditionName.STORE_UNREACHABLE, "Redis", f"nothing can be done: {error}")
    return Findings((condition,), frozenset(ConditionName) - {ConditionName.STORE_UNREACHABLE})
