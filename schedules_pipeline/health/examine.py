"""One examination by the doctor: probes, conditions, and the root causes of both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from schedules_pipeline.errors import ServiceError
from schedules_pipeline.health.check_health import Checkup, HealthCheck
from schedules_pipeline.health.condition import Condition, ConditionName, Severity
from schedules_pipeline.health.diagnose import Explanation, Fault, diagnose, find_cause, find_faults
from schedules_pipeline.health.ports import DagsterSnapshot
from schedules_pipeline.health.probes.probe import Probe, ProbeResult, run_probes, unchecked

ReadDagster = Callable[[], DagsterSnapshot]


@dataclass(frozen=True, slots=True)
class Examination:
    at: datetime
    conditions: Sequence[Condition]
    results: Sequence[ProbeResult]

    @property
    def faults(self) -> list[Fault]:
        return find_faults(self.conditions, self.results)

    @property
    def roots(self) -> tuple[Explanation, ...]:
        return diagnose(self.faults)

    @property
    def is_well(self) -> bool:
        """Whether there are warnings at most."""
        return all(fault.severity is Severity.WARNING for fault in self.faults)

    @property
    def could_look(self) -> bool:
        """False if Redis did not answer, so that most conditions are unknown."""
        return all(condition.name is not ConditionName.STORE_UNREACHABLE for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class Examiner:
    """``canaries``: probes that send messages. One is left out if a known fault already explains why it would fail.

    ``read_dagster``: the instance as it is now, in place of what the watch has recorded; raises
    :class:`ServiceError` if it cannot be read.
    """

    health: HealthCheck
    probes: Sequence[Probe]
    canaries: Sequence[Probe]
    read_dagster: ReadDagster

    def examine(self) -> Examination:
        results = run_probes(self.probes)
        checkup = self._check()
        faults = find_faults(checkup.conditions, results)
        causes = {probe.name: find_cause(probe.name, probe.subject, faults) for probe in self.canaries}
        sent = [probe for probe in self.canaries if causes[probe.name] is None]
        results += [_left_out(probe, cause) for probe in self.canaries if (cause := causes[probe.name])]
        return Examination(checkup.at, checkup.conditions, [*results, *run_probes(sent)])

    def _check(self) -> Checkup:
        try:
            current = self.read_dagster()
        except ServiceError:
            current = None
        return self.health.check_or_report_outage(current)


def _left_out(probe: Probe, cause: Fault) -> ProbeResult:
    finding = unchecked(probe.subject, f"it was not sent, because {cause.text}")
    return ProbeResult(probe.name, probe.proves, probe.limit, (finding,), 0.0)
