"""The watch: it checks health, follows incidents, and tells operators of changes.

Operators with Prometheus get their alarms from Alertmanager; the watch is for installations without it. One watch at a
time leads, by a lease. A notice is marked as accepted after it was sent, so a watch that dies in between sends it
again with the same id.

If the store is unreachable, nothing can be recorded. The watch then follows that one incident in its memory, so it is
sent once by each watching process, and again after a restart.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

from schedules_pipeline.errors import PipelineError, ServiceError
from schedules_pipeline.health.check_health import Checkup, HealthCheck, find_outage
from schedules_pipeline.health.condition import ConditionName, Findings
from schedules_pipeline.health.growth import is_due, sample_memory
from schedules_pipeline.health.incidents import (
    Incident,
    IncidentRules,
    due_notices,
    follow,
    with_told,
)
from schedules_pipeline.health.ports import DagsterSnapshot, Notifier
from schedules_pipeline.maintenance.ports import PassName
from schedules_pipeline.maintenance.record_pass import recorded_pass
from schedules_pipeline.publishing.ports.counters import Counter

LEASE_FOR = timedelta(seconds=25)
"""Longer than a check needs, shorter than the time between two checks, so that the next check can retry."""

_Save = Callable[[Sequence[Incident]], None]


@dataclass(frozen=True, slots=True)
class WatchReport:
    """The result of one check. ``open``: the raised incidents; ``raised`` and ``cleared``: those that this check has
    raised or ended. ``sent`` counts deliveries, ``failed`` channels. ``problem``: why channels failed, or "".
    """

    checkup: Checkup
    open: tuple[Incident, ...] = ()
    raised: tuple[Incident, ...] = ()
    cleared: tuple[Incident, ...] = ()
    sent: int = 0
    failed: int = 0
    problem: str = ""

    @property
    def lasting(self) -> Checkup:
        """The checkup without the conditions that have not outlasted their patience."""
        raised = {incident.name for incident in self.open}
        found = tuple(each for each in self.checkup.findings.conditions if each.name in raised)
        return replace(self.checkup, findings=replace(self.checkup.findings, conditions=found))

    def counts(self) -> dict[str, int]:
        return {
            "open": len(self.open),
            "raised": len(self.raised),
            "cleared": len(self.cleared),
            "notices sent": self.sent,
            "notices not taken": self.failed,
        }


@dataclass(slots=True)
class _Channel:
    """One notifier, and what became of its notices in this check."""

    notifier: Notifier
    sent: int = 0
    problem: str = ""

    def send(self, incidents: dict[ConditionName, Incident], now: datetime, save: _Save) -> None:
        """Send what is due. The channel is left for this check at its first failure, so that it delays no other."""
        due = [name for name, i in incidents.items() if due_notices(i, self.notifier.channel, now)]
        # In any order, so that one notice that the channel never accepts does not keep the others back.
        for name in random.sample(due, len(due)):
            for notice in due_notices(incidents[name], self.notifier.channel, now):
                try:
                    self.notifier.send(notice)
                except PipelineError as error:
                    self.problem = f"{self.notifier.channel}: {error}"
                    return
                except Exception as error:  # noqa: BLE001 - a defect in one channel must not silence the others
                    # Without its text, which may hold a secret.
                    self.problem = f"{self.notifier.channel}: {type(error).__name__}"
                    return
                self.sent += 1
                incidents[name] = with_told(incidents[name], self.notifier.channel, notice)
                save([incidents[name]])


class Watch:
    def __init__(
        self,
        health: HealthCheck,
        notifiers: Sequence[Notifier] = (),
        find_unheard: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """``find_unheard``: why changes of the sources do not arrive, by queue or bucket."""
        self._find_unheard = find_unheard
        self.health = health
        self._notifiers = notifiers
        self._channels = [notifier.channel for notifier in notifiers]
        self._outage: dict[ConditionName, Incident] = {}

    def check(self, dagster: DagsterSnapshot | None = None) -> WatchReport:
        """Check everything and tell of changes. ``dagster``: what only Dagster knows, to be recorded first.

        Raises :class:`ServiceError` if the store does not answer, after sending that notice.
        """
        try:
            report = self._check(dagster)
        except ServiceError as error:
            self._tell_of_outage(find_outage(error))
            raise
        self._tell_of_outage(Findings())
        return report

    def _check(self, dagster: DagsterSnapshot | None) -> WatchReport:
        store, clock = self.health.store, self.health.clock
        with recorded_pass(PassName.WATCH, store.passes, clock) as record:
            store.incidents.begin_watch(clock())
            if dagster is not None:
                store.dagster.record(replace(dagster, unheard=self._find_unheard()))
            self._sample_memory()
            checkup = self.health.check()
            report = self._follow(checkup)
            record(report.counts(), report.problem)
        store.counters.add(
            {Counter.ALARM_NOTICES_SENT: report.sent, Counter.ALARM_NOTICES_FAILED: report.failed}
        )
        return report

    def _sample_memory(self) -> None:
        store, now = self.health.store, self.health.clock()
        if is_due(store.memory_history.all(), now) and (sample := sample_memory(store.server.facts(), now)):
            store.memory_history.add(sample)

    def _follow(self, checkup: Checkup) -> WatchReport:
        """Another watch that leads at the moment follows the incidents; this one then only reports them."""
        store, now, check_id = self.health.store.incidents, checkup.at, str(uuid4())
        if not store.lead(check_id, LEASE_FOR):
            return WatchReport(checkup, tuple(incident for incident in store.latest() if incident.is_open))
        known = {incident.name: incident for incident in store.latest()}
        rules = IncidentRules(self.health.thresholds.clear_after, self._channels)
        incidents = follow(known.values(), checkup.findings, now, rules)
        store.save([incident for name, incident in incidents.items() if incident != known.get(name)])
        channels = self._tell(incidents, now, store.save)
        store.release(check_id)
        problems = [channel.problem for channel in channels if channel.problem]
        before, after = _open(known.values()), _open(incidents.values())
        return WatchReport(
            checkup,
            open=tuple(after.values()),
            raised=tuple(incident for name, incident in after.items() if name not in before),
            cleared=tuple(incidents[name] for name in before if name not in after),
            sent=sum(channel.sent for channel in channels),
            failed=len(problems),
            problem="; ".join(problems),
        )

    def _tell_of_outage(self, found: Findings) -> None:
        now = self.health.clock()
        self._outage = follow(self._outage.values(), found, now, IncidentRules(channels=self._channels))
        self._tell(self._outage, now, lambda _: None)

    def _tell(self, incidents: dict[ConditionName, Incident], now: datetime, save: _Save) -> list[_Channel]:
        channels = [_Channel(notifier) for notifier in self._notifiers]
        for channel in channels:
            channel.send(incidents, now, save)
        return channels


def _open(incidents: Iterable[Incident]) -> dict[ConditionName, Incident]:
    return {incident.name: incident for incident in incidents if incident.is_open}
