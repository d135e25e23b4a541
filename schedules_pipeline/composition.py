"""Builds the workflows over one store and one set of upstreams, real ones or fakes."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property, partial

from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.expectations.learner import ExpectationLearner
from schedules_pipeline.health.check_health import HealthCheck
from schedules_pipeline.health.ports import HealthStore
from schedules_pipeline.health.queue_age import queue_lag
from schedules_pipeline.health.watch import Watch
from schedules_pipeline.maintenance.coldstart import Coldstarter, ColdstartPolicy
from schedules_pipeline.maintenance.collect_garbage import GarbageCollector, RetentionPeriods
from schedules_pipeline.maintenance.continuity import ContinuityObserver
from schedules_pipeline.maintenance.dead_letters import DeadLetters
from schedules_pipeline.maintenance.find_differences import DifferenceFinder
from schedules_pipeline.maintenance.protect import Protector
from schedules_pipeline.maintenance.reconcile import ReconcilePolicy, Reconciler
from schedules_pipeline.maintenance.repair import Repairer
from schedules_pipeline.migration.compare_legacy import LegacyComparer
from schedules_pipeline.migration.ports import MigrationSources, Requirements
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
    """The workflows over one store and one set of upstreams. Building them reads nothing."""

    def __init__(
        self,
        store: Store,
        upstreams: Upstreams,
        calendar: BroadcastCalendar,
        clock: Clock,
        policies: Policies = Policies(),
        timing: Timing = Timing(),
        watch: Callable[[], Watch] | None = None,
    ) -> None:
        """``watch``: makes the watch when it is first asked for, by default on this store and these upstreams, without
        notifiers.
        """
        self.store = store
        self.upstreams = upstreams
        self.calendar = calendar
        self.clock = clock
        self._make_watch = watch or (lambda: Watch(HealthCheck(store, upstreams, clock)))
        self._build_publishing(policies.publishing, timing.keep_alive)
        self._build_migration(policies)
        self._build_maintenance(policies, timing.wait, timing.keep_alive)

    @cached_property
    def watch(self) -> Watch:
        """The watch of this process. Its clients of AWS take 0.2 s, for which a publisher does not wait."""
        return self._make_watch()

    @property
    def health(self) -> HealthCheck:
        return self.watch.health

    def _build_publishing(self, policy: PublishingPolicy, keep_alive: KeepAlive) -> None:
        store, upstreams, calendar, clock = self.store, self.upstreams, self.calendar, self.clock
        self.follower = CatalogueFollower(store, upstreams, calendar, clock, policy)
        rebuilder = Rebuilder(store, upstreams, self.follower, calendar, clock, policy)
        self.publisher = Publisher(store, rebuilder, clock, keep_alive)
        self.schedule_intake = ScheduleIntake(store, upstreams.schedule_dead_letters, calendar, clock)
        self.catalogue_intake = CatalogueIntake(store, upstreams.catalogue_dead_letters, self.follower, clock)
        self.checker = ScheduleChecker(store, calendar, clock)
        self.explainer = VersionExplainer(store)
        self.holds = HoldDecisions(store, self.publisher, calendar, clock)
        self.expectations = ExpectationLearner(store, calendar, clock)

    def _build_migration(self, policies: Policies) -> None:
        sides, horizon = (self.store, self.upstreams, self.clock), policies.publishing.horizon
        self.comparer = LegacyComparer(*sides, horizon, policies.intended_differences)
        self.parity_reporter = ParityReporter(*sides, horizon, policies.switch_requirements)
        self.switcher = Switcher(self.store, self.parity_reporter, self.clock)

    def _build_maintenance(
        self, policies: Policies, wait: Callable[[float], None], keep_alive: KeepAlive
    ) -> None:
        store, upstreams, calendar, clock = self.store, self.upstreams, self.calendar, self.clock
        horizon = policies.publishing.horizon
        coldstart = ColdstartPolicy(policies.coldstart_shards, policies.purge_settles_for, horizon)
        self.coldstarter = Coldstarter(
            store, upstreams, self.follower, self.publisher, clock, wait, coldstart
        )
        self.protector = Protector(store, upstreams, self.coldstarter, clock, policies.storm_threshold)
        forget_comparisons = {"comparisons": self.comparer.forget_unknown}
        self.collector = GarbageCollector(
            store, upstreams, calendar, clock, horizon, policies.kept_for, forget_comparisons
        )
        finder = DifferenceFinder(store, upstreams, self.follower, calendar, clock, policies.publishing)
        reconcile = ReconcilePolicy(policies.reconcile_grace_seconds, horizon)
        self.reconciler = Reconciler(
            store,
            upstreams,
            finder,
            self.publisher,
            partial(queue_lag, store, upstreams, clock),
            wait,
            reconcile,
        )
        self.observer = ContinuityObserver(store.continuity, "the publisher", clock)
        self.repairer = Repairer(store, self.follower, self.reconciler, clock, keep_alive)
        self.schedule_dead_letters = DeadLetters(upstreams.schedule_dead_letters, upstreams.schedule_queue)
        self.catalogue_dead_letters = DeadLetters(upstreams.catalogue_dead_letters, upstreams.catalogue_queue)
