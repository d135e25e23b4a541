"""The watch: looks at everything, finds what is wrong, and has somebody told of what began and what is over.

Alarms are found by looking, never sent by what failed: what failed may be dead. One look gathers, decides by
pure rules, and books every notice in the same step as the incident that it tells of; then it delivers what is
booked, by itself or from an earlier look. So a death at any point loses no notice, and two watchers send none
twice, unless one dies between sending a notice and saying so; then it comes again under the same id.

The one thing that cannot be booked is that the store itself is away. That is told directly, and remembered only
by this object; so it comes once for each process that watches, and again from one that was started anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.errors import PipelineError, ServiceError
from schedules_pipeline.health.conditions import Facts, FailedRun, QueueFacts, Thresholds, find_conditions
from schedules_pipeline.health.incidents import (
    AlarmName,
    Condition,
    Findings,
    Incident,
    Notice,
    Phase,
    Severity,
    as_cleared,
    begin_incident,
    plan_changes,
)
from schedules_pipeline.health.ports.failing_checks import FailingCheckStore
from schedules_pipeline.health.ports.incidents import IncidentStore, Notifier
from schedules_pipeline.health.ports.queue_polls import QueueName, QueuePollStore
from schedules_pipeline.health.queue_age import oldest_message_age
from schedules_pipeline.maintenance.ports.coldstart import ColdstartStore
from schedules_pipeline.maintenance.ports.passes import PassName, PassStore
from schedules_pipeline.maintenance.record_pass import Counts, remember_pass
from schedules_pipeline.migration.ports.comparisons import ComparisonStore
from schedules_pipeline.migration.ports.legacy import LegacyKeyspace
from schedules_pipeline.publishing.ports.counters import Counter, CounterStore
from schedules_pipeline.publishing.ports.heartbeats import DeliveryHeartbeats
from schedules_pipeline.publishing.ports.presence import PublisherPresence
from schedules_pipeline.publishing.ports.rejections import RejectionStore
from schedules_pipeline.publishing.ports.upstream import NotificationQueue, QueueDepth
from schedules_pipeline.publishing.ports.work import WorkQueue
from schedules_pipeline.push.ports import SubscriptionStore

LEASE_FOR = timedelta(seconds=25)
"""Longer than any notifier takes, shorter than from one look to the next, so that the next one tries again."""

_MOST_DELIVERIES = 100
_LEGACY = "the legacy keyspace"


@dataclass(frozen=True, slots=True)
class HealthSources:
    """What is looked at. Queues by the name that operators know them by."""

    work: WorkQueue
    presence: PublisherPresence
    rejected: RejectionStore
    comparisons: ComparisonStore
    failing_checks: FailingCheckStore
    passes: PassStore
    coldstarts: ColdstartStore
    intake: QueuePollStore
    queues: Mapping[QueueName, NotificationQueue]
    dead_letters: Mapping[str, NotificationQueue]
    legacy: LegacyKeyspace
    subscriptions: SubscriptionStore
    heartbeats: DeliveryHeartbeats


@dataclass(frozen=True, slots=True)
class WatchReport:
    """What came of one look. ``open``: the alarms that stand. ``sent`` counts deliveries, ``failed`` channels;
    ``problem``: why those failed, "" if none did.
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
        watched: HealthSources,
        book: IncidentStore,
        counters: CounterStore,
        notifiers: Sequence[Notifier],
        thresholds: Thresholds,
        clear_after: timedelta = timedelta(minutes=1),
        *,
        clock: Clock,
    ) -> None:
        self._watched = watched
        self._book = book
        self._counters = counters
        self._notifiers = notifiers
        self._thresholds = thresholds
        self._clear_after = clear_after
        self._clock = clock
        self._store_loss = _StoreLoss(notifiers, clock)

    def look(self, failed_runs: Sequence[FailedRun] = ()) -> WatchReport:
        """Look once, and tell what is to be told. ``failed_runs``: of every job whose latest run failed.

        Raises :class:`ServiceError` where the store does not answer, after having told that directly.
        """
        reports: list[WatchReport] = []

        def work(counts: Counts) -> str:
            reports.append(report := self._look(failed_runs, self._clock()))
            counts |= report.counts()
            return report.problem

        try:
            remember_pass(PassName.WATCH, self._watched.passes, self._clock, work)
            self._counters.add(
                {
                    Counter.ALARM_NOTICES_SENT: reports[0].sent,
                    Counter.ALARM_NOTICES_FAILED: reports[0].failed,
                }
            )
        except ServiceError as error:
            self._store_loss.tell(error)
            raise
        self._store_loss.clear()
        return reports[0]

    def _look(self, failed_runs: Sequence[FailedRun], now: datetime) -> WatchReport:
        found = find_conditions(self._gather(failed_runs, now), self._thresholds, now)
        notices = self._turn(found, now)
        sent, failures = self._deliver()
        return WatchReport(
            open=tuple(incident for incident in self._book.latest() if incident.is_open),
            raised=tuple(notice for notice in notices if notice.phase is Phase.RAISED),
            cleared=tuple(notice for notice in notices if notice.phase is Phase.CLEARED),
            sent=sent,
            failed=len(failures),
            undelivered=self._book.count_undelivered(),
            problem="; ".join(failures),
        )

    def _gather(self, failed_runs: Sequence[FailedRun], now: datetime) -> Facts:
        """The store first: where it is away, nothing else matters."""
        watched, since = self._watched, self._book.watched_since(now)
        notes = watched.intake.all()
        depths, errors = _ask(watched)
        return Facts(
            watched_since=since,
            backlog=watched.work.backlog(),
            publisher=watched.presence.name(),
            pending_since=watched.work.pending_since(),
            set_aside=watched.work.quarantined(),
            rejected=watched.rejected.all(),
            comparisons=watched.comparisons.all(),
            failing_checks=watched.failing_checks.all(),
            passes=watched.passes.all(),
            coldstart=watched.coldstarts.latest(),
            queues={
                name: QueueFacts(depth, oldest_message_age(notes[name], depth, now))
                if (depth := depths.get(name))
                else None
                for name in watched.queues
            },
            dead_letters={name: depths.get(name) for name in watched.dead_letters},
            unreachable=errors,
            failed_runs=failed_runs,
            push_set_aside={
                standing.subscription.name: standing.progress.quarantine.reason
                for standing in watched.subscriptions.all()
                if standing.progress.quarantine
            },
            heartbeats=watched.heartbeats.all(),
        )

    def _turn(self, found: Findings, now: datetime) -> list[Notice]:
        """Carry the plan out; what another watcher has turned meanwhile is left to it."""
        changes = plan_changes(self._book.latest(), found, now, self._clear_after)
        channels = tuple(notifier.channel for notifier in self._notifiers)
        done = [change for change in changes if self._book.change(change, channels)]
        return [change.notice for change in done if change.notice is not None]

    def _deliver(self) -> tuple[int, list[str]]:
        """Send what is booked, now or earlier; answers with how many were taken, and who failed and why."""
        total, failures = 0, []
        for notifier in self._notifiers:
            sent, failure = self._deliver_over(notifier)
            total += sent
            failures += [f"{notifier.channel}: {failure}"] if failure else []
        return total, failures

    def _deliver_over(self, notifier: Notifier) -> tuple[int, str]:
        """A channel that fails is left alone until the next look, so that it does not hold up the others."""
        for sent in range(_MOST_DELIVERIES):
            notice = self._book.take_notice(notifier.channel, self._clock(), LEASE_FOR)
            if notice is None:
                return sent, ""
            try:
                notifier.send(notice)
            except PipelineError as error:
                return sent, str(error)
            except Exception as error:  # noqa: BLE001 - a defect in one channel must not silence the others
                # Without its text: only errors of ours are known to hold no secret.
                return sent, type(error).__name__
            self._book.confirm_delivered(notifier.channel, notice)
        return _MOST_DELIVERIES, ""


class _StoreLoss:
    """Tells directly that the store is away, since nothing can be booked then: once for each channel, and the
    all-clear over those that were told. What is not taken is tried again at the next look.
    """

    def __init__(self, notifiers: Sequence[Notifier], clock: Clock) -> None:
        self._notifiers = notifiers
        self._clock = clock
        self._notice: Notice | None = None
        self._told: set[str] = set()

    def tell(self, error: ServiceError) -> None:
        now = self._clock()
        condition = Condition(AlarmName.STORE_UNREACHABLE, Severity.ERROR, f"nothing can be done: {error}")
        self._notice = self._notice or begin_incident(condition, now).notice
        if self._notice:
            untold = [notifier for notifier in self._notifiers if notifier.channel not in self._told]
            self._told |= _send(untold, self._notice)

    def clear(self) -> None:
        if self._notice is None:
            return
        cleared = as_cleared(self._notice, self._clock())
        self._told -= _send([n for n in self._notifiers if n.channel in self._told], cleared)
        if not self._told:
            self._notice = None


def _send(notifiers: Iterable[Notifier], notice: Notice) -> set[str]:
    """Over which channels it was taken. The caller's own error says that the store is away; these add nothing."""
    taken = set()
    for notifier in notifiers:
        try:
            notifier.send(notice)
        except Exception:  # noqa: BLE001, S112 - a defect in one channel must not silence the others
            continue
        taken.add(notifier.channel)
    return taken


def _ask(watched: HealthSources) -> tuple[dict[str, QueueDepth], dict[str, str]]:
    """How deep the queues are, and the error of everything that did not answer. All are asked at once: one that
    does not answer takes its time until it is given up.
    """
    queues: list[tuple[str, NotificationQueue]] = [*watched.queues.items(), *watched.dead_letters.items()]
    with ThreadPoolExecutor(len(queues) + 1) as pool:
        asked = {name: pool.submit(queue.depth) for name, queue in queues}
        refreshed = pool.submit(watched.legacy.refreshed_at)
    errors = {name: future.exception() for name, future in asked.items()} | {_LEGACY: refreshed.exception()}
    depths = {name: future.result() for name, future in asked.items() if errors[name] is None}
    return depths, {name: str(error) for name, error in errors.items() if error is not None}
