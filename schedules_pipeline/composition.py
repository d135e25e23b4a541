"""Where workflows are put together over one store and one set of upstreams, whatever stands behind the ports."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta

from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.retention import KEEPS_EVERYTHING, RetentionHorizon
from schedules_pipeline.health.conditions import Thresholds
from schedules_pipeline.health.ports import HealthStore
from schedules_pipeline.health.ports.queue_polls import QueueName
from schedules_pipeline.health.watch import HealthSources, Watch
from schedules_pipeline.maintenance.coldstart import Coldstarter
from schedules_pipeline.maintenance.collect_garbage import GarbageCollector, RetentionPeriods
from schedules_pipeline.maintenance.dead_letters import DeadLetters
from schedules_pipeline.maintenance.find_differences import DifferenceFinder
from schedules_pipeline.maintenance.protect import Protector
from schedules_pipeline.maintenance.reconcile import Reconciler
from schedules_pipeline.migration.compare_legacy import LegacyComparer
from schedules_pipeline.migration.legacy_horizon import LegacyWithinHorizon
from schedules_pipeline.migration.ports import MigrationSources
from schedules_pipeline.migration.ports.parity import Requirements
from schedules_pipeline.migration.report_parity import ParityReporter
from schedules_pipeline.migration.switch import Switcher
from schedules_pipeline.publishing.accept_rejected import RejectedDocuments
from schedules_pipeline.publishing.check_schedules import ScheduleChecker
from schedules_pipeline.publishing.explain_version import VersionExplainer
from schedules_pipeline.publishing.follow_catalogue import CatalogueFollower
from schedules_pipeline.publishing.intake import CatalogueIntake, ScheduleIntake
from schedules_pipeline.publishing.lease_renewal import beating as beating_at
from schedules_pipeline.publishing.publish import LEASE_FOR, Beating, Publisher
from schedules_pipeline.publishing.rebuild import Rebuilder

_LONGEST_BUILD_SECONDS = 600.0
"""A batch that takes longer hangs, and somebody else may have its schedules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Store(HealthStore):
    """Everything that this system keeps, in one keyspace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstreams(MigrationSources):
    """Everything that other systems own. The pipeline reads it and never writes it."""


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
    kept_for: RetentionPeriods = field(default_factory=RetentionPeriods)
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
            store.rejections,
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
            store.rejections,
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
            store.schedules, store.work, store.rejections, store.counters, calendar, clock
        )
        self.catalogue_intake = CatalogueIntake(self.follower, store.rejections, store.counters, clock)
        self.checker = ScheduleChecker(
            store.schedules, store.copies, store.references, store.rejections, store.work, calendar
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
            health_sources(store, upstreams), store.incidents, store.counters, (), Thresholds(), clock=clock
        )
        self.explainer = VersionExplainer(store.versions, store.feed)
        self.rejected_documents = RejectedDocuments(
            store.schedules,
            upstreams.schedule_source,
            store.rejections,
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
            store.rejections,
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
            store.rejections,
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


def health_sources(store: Store, upstreams: Upstreams) -> HealthSources:
    """What the watch looks at."""
    return HealthSources(
        store.work,
        store.presence,
        store.rejections,
        store.comparisons,
        store.failing_checks,
        store.passes,
        store.coldstarts,
        store.queue_polls,
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
        store.heartbeats,
    )
