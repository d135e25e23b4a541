"""Builds the workflows over one store and one set of upstreams, real ones or fakes."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.expectations.learner import ExpectationLearner
from schedules_pipeline.health.conditions import Thresholds
from schedules_pipeline.health.ports import HealthStore
from schedules_pipeline.health.watch import Watch
from schedules_pipeline.maintenance.coldstart import Coldstarter, ColdstartPolicy
from schedules_pipeline.maintenance.collect_garbage import GarbageCollector, RetentionPeriods
from schedules_pipeline.maintenance.dead_letters import DeadLetters
from schedules_pipeline.maintenance.find_differences import DifferenceFinder
from schedules_pipeline.maintenance.protect import Protector
from schedules_pipeline.maintenance.reconcile import ReconcilePolicy, Reconciler
from schedules_pipeline.migration.compare_legacy import LegacyComparer
from schedules_pipeline.migration.ports import MigrationSources
from schedules_pipeline.migration.ports.parity import Requirements
from schedules_pipeline.migration.report_parity import ParityReporter
from schedules_pipeline.migration.switch import Switcher
from schedules_pipeline.publishing.check_schedules import ScheduleChecker
from schedules_pipeline.publishing.decide_holds import HoldDecisions
from schedules_pipeline.publishing.explain_version import VersionExplainer
from schedules_pipeline.publishing.follow_catalogue import CatalogueFollower
from schedules_pipeline.publishing.intake import CatalogueIntake, ScheduleIntake
from schedules_pipeline.publishing.policy import PublishingPolicy
from schedules_pipeline.publishing.publish import KeepAlive, Publisher, renew_in_background
from schedules_pipeline.publishing.rebuild import Rebuilder


@dataclass(frozen=True, slots=True, kw_only=True)
class Store(HealthStore):
    """Everything that this system keeps, in one keyspace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstreams(MigrationSources):
    """Everything that other systems own. The pipeline reads it and never writes it."""


@dataclass(frozen=True, slots=True)
class Policies:
    """What an installation may choose about the workflows. By default nothing is past the horizon."""

    publishing: PublishingPolicy = field(default_factory=PublishingPolicy)
    intended_differences: Sequence[str] = ()
    kept_for: RetentionPeriods = field(default_factory=RetentionPeriods)
    coldstart_shards: int = 2
    storm_threshold: int = 10_000
    purge_settles_for: timedelta = timedelta(0)
    reconcile_grace_seconds: float = 30
    switch_requirements: Requirements = field(default_factory=lambda: Requirements(0.995, 0.75, 60))


@dataclass(frozen=True, slots=True)
class Timing:
    """How workflows wait, and how they keep leases alive; simulations replace both."""

    wait: Callable[[float], None] = time.sleep
    keep_alive: KeepAlive = renew_in_background


class Pipeline:
    """The workflows over one store and one set of upstreams, each built when it is first used."""

    def __init__(
        self,
        store: Store,
        upstreams: Upstreams,
        calendar: BroadcastCalendar,
        clock: Clock,
        policies: Policies = Policies(),
        timing: Timing = Timing(),
        watch: Watch | None = None,
    ) -> None:
        """``watch``: by default one on this store and these upstreams, without notifiers."""
        self.store = store
        self.upstreams = upstreams
        self.calendar = calendar
        self.clock = clock
        self._policies = policies
        self._timing = timing
        self.watch = watch or Watch(store, upstreams, (), clock, Thresholds())

    # Publishing

    @cached_property
    def follower(self) -> CatalogueFollower:
        return CatalogueFollower(
            self.store, self.upstreams, self.calendar, self.clock, self._policies.publishing
        )

    @cached_property
    def publisher(self) -> Publisher:
        rebuilder = Rebuilder(
            self.store, self.upstreams, self.follower, self.calendar, self.clock, self._policies.publishing
        )
        return Publisher(self.store, rebuilder, self.clock, self._timing.keep_alive)

    @cached_property
    def schedule_intake(self) -> ScheduleIntake:
        return ScheduleIntake(self.store, self.upstreams.schedule_dead_letters, self.calendar, self.clock)

    @cached_property
    def catalogue_intake(self) -> CatalogueIntake:
        return CatalogueIntake(self.store, self.upstreams.catalogue_dead_letters, self.follower, self.clock)

    @cached_property
    def checker(self) -> ScheduleChecker:
        return ScheduleChecker(self.store, self.calendar, self.clock)

    @cached_property
    def explainer(self) -> VersionExplainer:
        return VersionExplainer(self.store)

    @cached_property
    def holds(self) -> HoldDecisions:
        return HoldDecisions(self.store, self.publisher, self.calendar, self.clock)

    @cached_property
    def expectations(self) -> ExpectationLearner:
        return ExpectationLearner(self.store, self.calendar, self.clock)

    # Maintenance

    @cached_property
    def coldstarter(self) -> Coldstarter:
        policies = self._policies
        return Coldstarter(
            self.store,
            self.upstreams,
            self.follower,
            self.publisher,
            self.clock,
            self._timing.wait,
            ColdstartPolicy(
                policies.coldstart_shards,
                policies.purge_settles_for,
                policies.publishing.horizon,
            ),
        )

    @cached_property
    def protector(self) -> Protector:
        return Protector(self.store, self.upstreams, self.coldstarter, self._policies.storm_threshold)

    @cached_property
    def collector(self) -> GarbageCollector:
        return GarbageCollector(
            self.store,
            self.upstreams,
            self.calendar,
            self.clock,
            self._policies.publishing.horizon,
            self._policies.kept_for,
            {"comparisons": self.comparer.forget_unknown},
        )

    @cached_property
    def reconciler(self) -> Reconciler:
        return Reconciler(
            self.store,
            self.upstreams,
            DifferenceFinder(
                self.store,
                self.upstreams,
                self.follower,
                self.calendar,
                self.clock,
                self._policies.publishing,
            ),
            self.publisher,
            self.clock,
            self._timing.wait,
            ReconcilePolicy(self._policies.reconcile_grace_seconds, self._policies.publishing.horizon),
        )

    @cached_property
    def schedule_dead_letters(self) -> DeadLetters:
        return DeadLetters(self.upstreams.schedule_dead_letters, self.upstreams.schedule_queue)

    @cached_property
    def catalogue_dead_letters(self) -> DeadLetters:
        return DeadLetters(self.upstreams.catalogue_dead_letters, self.upstreams.catalogue_queue)

    # Migration

    @cached_property
    def comparer(self) -> LegacyComparer:
        return LegacyComparer(
            self.store,
            self.upstreams,
            self.clock,
            self._policies.publishing.horizon,
            self._policies.intended_differences,
        )

    @cached_property
    def parity_reporter(self) -> ParityReporter:
        return ParityReporter(
            self.store,
            self.upstreams,
            self.clock,
            self._policies.publishing.horizon,
            self._policies.switch_requirements,
        )

    @cached_property
    def switcher(self) -> Switcher:
        return Switcher(self.store, self.parity_reporter, self.clock)
