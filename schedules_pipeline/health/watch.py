"""The watch: one check gathers facts, judges them by pure rules, and notifies operators of changes.

Alarms are computed from the state, not sent by the parts that fail, because those may be dead. The store records
every notice in the same atomic step as its incident; then the watch delivers the recorded notices. A crash loses no
notice. Two watchers deliver none twice, unless one dies between sending a notice and acknowledging it; the notice is
then sent again with the same id.

If the store itself is unreachable, nothing can be recorded. The watch sends that alarm directly and remembers it in
memory, so it is sent once by each watching process, and again after a restart.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.errors import PipelineError, ServiceError
from schedules_pipeline.health.condition import ConditionName, Findings, make_condition
from schedules_pipeline.health.facts import FailedRun, Thresholds
from schedules_pipeline.health.find_conditions import find_conditions
from schedules_pipeline.health.gather import gather_facts
from schedules_pipeline.health.incidents import (
    Incident,
    Notice,
    Phase,
    as_cleared,
    begin_incident,
    plan_changes,
)
from schedules_pipeline.health.ports import HealthStore, Notifier
from schedules_pipeline.maintenance.ports import PassName
from schedules_pipeline.maintenance.record_pass import recorded_pass
from schedules_pipeline.migration.ports import MigrationSources
from schedules_pipeline.publishing.ports.counters import Counter

LEASE_FOR = timedelta(seconds=25)
"""Longer than a notifier needs, shorter than the time between two checks, so that the next check can retry."""

_MOST_DELIVERIES = 100


@dataclass(frozen=True, slots=True)
class WatchReport:
    """The result of one check. ``open``: the raised incidents. ``sent`` counts deliveries, ``failed`` channels.
    ``problem``: why channels failed, or "".
    """

    open: tuple[Incident, ...] = ()
    raised: tuple[Notice, ...] = ()
    cleared: tuple[Notice, ...] = ()
    sent: int = 0
    failed: int = 0
    undelivered: int = 0
    problem: str = ""

    def counts(self) -> dict[str, int]:
        return {
            "open": len(self.open),
            "raised": len(self.raised),
            "cleared": len(self.cleared),
            "notices sent": self.sent,
            "notices not taken": self.failed,
            "notices undelivered": self.undelivered,
        }


class Watch:
    def __init__(
        self,
        store: HealthStore,
        sources: MigrationSources,
        notifiers: Sequence[Notifier],
        clock: Clock,
        thresholds: Thresholds,
    ) -> None:
        self._store = store
        self._sources = sources
        self._notifiers = notifiers
        self._clock = clock
        self._thresholds = thresholds
        self._store_alarm = _StoreAlarm(notifiers, clock)

    def check(self, failed_runs: Sequence[FailedRun] = ()) -> WatchReport:
        """Check everything and deliver notices. ``failed_runs``: one for each job whose latest run failed.

        Raises :class:`ServiceError` if the store does not answer, after sending that alarm directly.
        """
        try:
            with recorded_pass(PassName.WATCH, self._store.passes, self._clock) as record:
                now = self._clock()
                found = find_conditions(
                    gather_facts(self._store, self._sources, self._clock, failed_runs), self._thresholds, now
                )
                notices = self._apply(found, now)
                report = self._deliver(notices)
                record(report.counts(), report.problem)
            self._store.counters.add(
                {Counter.ALARM_NOTICES_SENT: report.sent, Counter.ALARM_NOTICES_FAILED: report.failed}
            )
        except ServiceError as error:
            self._store_alarm.send(error)
            raise
        self._store_alarm.clear()
        return report

    def _apply(self, found: Findings, now: datetime) -> list[Notice]:
        """Apply the changes that no other watcher has applied first; return their notices."""
        incidents = self._store.incidents
        channels = tuple(notifier.channel for notifier in self._notifiers)
        planned = plan_changes(incidents.latest(), found, now, self._thresholds.clear_after)
        applied = [change for change in planned if incidents.change(change, channels)]
        return [change.notice for change in applied if change.notice is not None]

    def _deliver(self, notices: Sequence[Notice]) -> WatchReport:
        """Send all recorded notices, old ones too, and report."""
        results = {notifier.channel: self._deliver_over(notifier) for notifier in self._notifiers}
        failures = [f"{channel}: {failure}" for channel, (_, failure) in results.items() if failure]
        return WatchReport(
            open=tuple(incident for incident in self._store.incidents.latest() if incident.is_open),
            raised=tuple(notice for notice in notices if notice.phase is Phase.RAISED),
            cleared=tuple(notice for notice in notices if notice.phase is Phase.CLEARED),
            sent=sum(sent for sent, _ in results.values()),
            failed=len(failures),
            undelivered=self._store.incidents.count_undelivered(),
            problem="; ".join(failures),
        )

    def _deliver_over(self, notifier: Notifier) -> tuple[int, str]:
        """Send until the channel fails; the next check retries, so that one channel does not delay the others."""
        for sent in range(_MOST_DELIVERIES):
            notice = self._store.incidents.take_notice(notifier.channel, self._clock(), LEASE_FOR)
            if notice is None:
                return sent, ""
            try:
                notifier.send(notice)
            except PipelineError as error:
                return sent, str(error)
            except Exception as error:  # noqa: BLE001 - a defect in one channel must not silence the others
                # Without its text, which may hold a secret.
                return sent, type(error).__name__
            self._store.incidents.confirm_delivered(notifier.channel, notice)
        return _MOST_DELIVERIES, ""


class _StoreAlarm:
    """Sends the alarm that the store is unreachable, once to each channel, and the all-clear to the same channels.

    Failed deliveries are retried at the next check.
    """

    def __init__(self, notifiers: Sequence[Notifier], clock: Clock) -> None:
        self._notifiers = notifiers
        self._clock = clock
        self._notice: Notice | None = None
        self._notified: set[str] = set()

    def send(self, error: ServiceError) -> None:
        condition = make_condition(ConditionName.STORE_UNREACHABLE, "Redis", f"nothing can be done: {error}")
        self._notice = self._notice or begin_incident(condition, self._clock()).notice
        if self._notice:
            remaining = [notifier for notifier in self._notifiers if notifier.channel not in self._notified]
            self._notified |= _send(remaining, self._notice)

    def clear(self) -> None:
        if self._notice is None:
            return
        cleared = as_cleared(self._notice, self._clock())
        self._notified -= _send([n for n in self._notifiers if n.channel in self._notified], cleared)
        if not self._notified:
            self._notice = None


def _send(notifiers: Iterable[Notifier], notice: Notice) -> set[str]:
    """The channels that accepted the notice. The caller's error reports the outage, so failures add nothing."""
    accepted = set()
    for notifier in notifiers:
        try:
            notifier.send(notice)
        except Exception:  # noqa: BLE001, S112 - a defect in one channel must not silence the others
            continue
        accepted.add(notifier.channel)
    return accepted
