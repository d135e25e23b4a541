"""Where workflows are put together over one store and one set of upstreams, whatever stands behind the ports."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta

from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.retention import KEEPS_EVERYTHING, RetentionHorizon
from schedules_pipeline.heartbeat import beating as beating_at
from schedules_pipeline.ports.alarms import AlarmBook
from schedules_pipeline.ports.catalogue import CatalogueSource, CopyStore
from schedules_pipeline.ports.coldstart import ColdstartBook
from schedules_pipeline.ports.feed import ChangeFeed
from schedules_pipeline.ports.history import VersionHistory
from schedules_pipeline.ports.intake import IntakeNotes, QueueName
from schedules_pipeline.ports.journal import Comparisons, Counters, FailingChecks, RefusedInput
from schedules_pipeline.ports.parity import ParityTrend, Requirements
from schedules_pipeline.ports.partners import PartnerBook
from schedules_pipeline.ports.passes import PassLog
from schedules_pipeline.ports.presence import PublisherPresence
from schedules_pipeline.ports.pulses import DeliveryPulses
from schedules_pipeline.ports.references import ReferenceIndex
from schedules_pipeline.ports.schedules import ScheduleStore
from schedules_pipeline.ports.served import ServedBook
from schedules_pipeline.ports.subscriptions import SubscriptionBook
from schedules_pipeline.ports.upstream import (
    LegacyKeyspace,
    NotificationQueue,
    ScheduleSource,
)
from schedules_pipeline.ports.work import WorkQueue
from schedules_pipeline.workflows.accept_refused import RefusedDocuments
from schedules_pipeline.workflows.alarm_conditions import Thresholds
from schedules_pipeline.workflows.check_schedules import ScheduleChecker
from schedules_pipeline.workflows.clock import Clock
from schedules_pipeline.workflows.cold_start import Coldstarter
from schedules_pipeline.workflows.collect_garbage import GarbageCollector, KeptFor
from schedules_pipeline.workflows.compare_legacy import LegacyComparer
from schedules_pipeline.workflows.dead_letters import DeadLetters
from schedules_pipeline.workflows.explain_version import VersionExplainer
from schedules_pipeline.workflows.find_differences import DifferenceFinder
from schedules_pipeline.workflows.follow_catalogue import CatalogueFollower
from schedules_pipeline.workflows.intake import CatalogueIntake, ScheduleIntake
from schedules_pipeline.workflows.legacy_horizon import LegacyWithinHorizon
from schedules_pipeline.workflows.protect import Protector
from schedules_pipeline.workflows.publish import LEASE_FOR, Beating, Publisher
from schedules_pipeline.workflows.rebuild import Rebuilder
from schedules_pipeline.workflows.reconcile import Reconciler
from schedules_pipeline.workflows.report_parity import ParityReporter
from schedules_pipeline.workflows.switch import Switcher
from schedules_pipeline.workflows.watch import Watch, Watched

_LONGEST_BUILD_SECONDS = 600.0
"""A batch that takes longer hangs, and somebody else may have its schedules."""


@dataclass(frozen=True, slots=True)
class Store:
    """Everything that is ours, in one keyspace."""

    schedules: ScheduleStore
    copies: CopyStore
    references: ReferenceIndex
    work: WorkQueue
    feed: ChangeFeed
    refused: RefusedInput
    comparisons: Comparisons
    counters: Counters
    presence: PublisherPresence
    passes: PassLog
    history: VersionHistory
    coldstarts: ColdstartBook
    parity_trend: ParityTrend
    served: ServedBook
    intake: IntakeNotes
    failing_checks: FailingChecks
    alarms: AlarmBook
    partners: PartnerBook
    subscriptions: SubscriptionBook
    pulses: DeliveryPulses


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Everything that is not ours, and only ever read."""

    schedule_source: ScheduleSource
    catalogue_source: CatalogueSource
    schedule_queue: NotificationQueue
    catalogue_queue: NotificationQueue
    legacy: LegacyKeyspace
    schedule_dead_letters: NotificationQueue
    catalogue_dead_letters: NotificationQueue


def kept_alive(beat: Callable[[], None]) -> AbstractContextManager[None]:
    """How a lease is renewed while its batch is built."""
    return beating_at(beat, LEASE_FOR.total_seconds() / 3, _LONGEST_BUILD_SECONDS)


@dataclass(frozen=True, slots=True)
class Rules:
    """What may be chosen of how the workflows behave. Where nothing is chosen, nothing is ever too old."""

    smallest_share: float = 0.5
    intended_differences: Sequence[str] = ()
    maximum_catalogue_bytes: int = 1_000_000
    horizon: RetentionHorizon = KEEPS_EVERYTHING
    kept_for: KeptFor = field(default_factory=KeptFor)
    coldstart_shards: int = 2
    storm_threshold: int = 10_000
    purge_settles_for: timedelta = timedelta(0)
    reconcile_grace_seconds: float = 30
    switch_requirements: Requirements = field(default_factory=lambda: Requirements(0.995, 0.75, 60))


DEFAULT_RULES = Rules()


class Pipeline:
    """The workflows over one store and one set of upstreams."""

    def __init__(
        self,
        store: Store,
        upstreams: Upstreams,
        calendar: BroadcastCalendar,
        clock: Clock,
        rules: Rules = DEFAULT_RULES,
        *,
        wait: Callable[[float], None] = time.sleep,
        beating: Beating = kept_alive,
        watch: Watch | None = None,
    ) -> None:
        self.store = store
        self.upstreams = upstreams
        self.calendar = calendar
        self.clock = clock
        self.follower = CatalogueFollower(
            store.copies,
            upstreams.catalogue_source,
            store.references,
            store.work,
            store.refused,
            calendar,
            clock,
            rules.maximum_catalogue_bytes,
        )
        rebuilder = Rebuilder(
            store.schedules,
            store.copies,
            store.references,
            store.feed,
            upstreams.schedule_source,
            store.refused,
            store.counters,
            self.follower,
            clock,
            rules.smallest_share,
            rules.horizon,
        )
        self.publisher = Publisher(store.work, store.schedules, rebuilder, clock, beating)
        self.coldstarter = Coldstarter(
            store.coldstarts,
            (upstreams.schedule_queue, upstreams.catalogue_queue),
            upstreams.schedule_source,
            store.schedules,
            store.feed,
            store.copies,
            self.follower,
            self.publisher,
            store.passes,
            clock,
            wait,
            rules.coldstart_shards,
            rules.horizon,
            rules.smallest_share,
            rules.purge_settles_for,
        )
        self.protector = Protector(
            store.coldstarts, upstreams.catalogue_queue, self.coldstarter, rules.storm_threshold
        )
        self.schedule_intake = ScheduleIntake(
            store.schedules, store.work, store.refused, store.counters, calendar, clock
        )
        self.catalogue_intake = CatalogueIntake(self.follower, store.refused, store.counters, clock)
        self.checker = ScheduleChecker(
            store.schedules, store.copies, store.references, store.refused, store.work, calendar
        )
        legacy = LegacyWithinHorizon(upstreams.legacy, rules.horizon, clock)
        self.comparer = LegacyComparer(
            store.schedules, store.feed, store.work, store.comparisons, legacy, rules.intended_differences
        )
        self.parity_reporter = ParityReporter(
            store.feed,
            store.comparisons,
            legacy,
            store.parity_trend,
            store.passes,
            rules.switch_requirements,
            clock,
        )
        self.switcher = Switcher(store.served, self.parity_reporter, store.coldstarts, clock)
        self.watch = watch or Watch(
            watched_of(store, upstreams), store.alarms, store.counters, (), Thresholds(), clock=clock
        )
        self.explainer = VersionExplainer(store.history, store.feed)
        self.refused_documents = RefusedDocuments(
            store.schedules,
            upstreams.schedule_source,
            store.refused,
            self.publisher,
            clock,
            rules.smallest_share,
        )
        self.collector = GarbageCollector(
            store.schedules,
            store.copies,
            store.references,
            store.work,
            store.feed,
            store.refused,
            store.comparisons,
            store.passes,
            upstreams.schedule_source,
            legacy,
            calendar,
            clock,
            rules.horizon,
            rules.kept_for,
        )
        finder = DifferenceFinder(
            store.schedules,
            store.copies,
            store.references,
            store.work,
            store.feed,
            store.refused,
            upstreams.schedule_source,
            self.follower,
            clock,
            rules.smallest_share,
        )
        self.reconciler = Reconciler(
            finder,
            store.schedules,
            store.work,
            store.feed,
            store.passes,
            upstreams.schedule_source,
            self.publisher,
            clock,
            rules.horizon,
            wait,
            rules.reconcile_grace_seconds,
        )
        self.schedule_dead_letters = DeadLetters(upstreams.schedule_dead_letters, upstreams.schedule_queue)
        self.catalogue_dead_letters = DeadLetters(upstreams.catalogue_dead_letters, upstreams.catalogue_queue)


def watched_of(store: Store, upstreams: Upstreams) -> Watched:
    """What the watch looks at."""
    return Watched(
        store.work,
        store.presence,
        store.refused,
        store.comparisons,
        store.failing_checks,
        store.passes,
        store.coldstarts,
        store.intake,
        {
            QueueName.SCHEDULE_EVENTS: upstreams.schedule_queue,
            QueueName.CATALOGUE_EVENTS: upstreams.catalogue_queue,
        },
        {
            "schedule_dead_letters": upstreams.schedule_dead_letters,
            "catalogue_dead_letters": upstreams.catalogue_dead_letters,
        },
        upstreams.legacy,
        store.subscriptions,
        store.pulses,
    )
