"""All fakes together, and the real workflows over them."""

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from zoneinfo import ZoneInfo

from fakes.coldstart import FakeColdstartStore
from fakes.conditions import Conditions, FakeClock
from fakes.continuity import FakeContinuityStore
from fakes.copies import FakeCatalogueSource, FakeCopyStore
from fakes.feed import FakeChangeFeed
from fakes.incidents import FakeDagsterStore, FakeIncidentStore
from fakes.losses import FakeExpectationStore, FakeLossStore
from fakes.partners import FakePartnerStore, FakeSignInStore, FakeSubscriptionStore
from fakes.references import FakeReferenceIndex
from fakes.reports import (
    FakeComparisonStore,
    FakeCounterStore,
    FakeFailingCheckStore,
    FakeMemoryHistory,
    FakeParityTrendStore,
    FakePassStore,
    FakeQuarantinedBroadcastStore,
    FakeQueuePollStore,
    FakeRejectionStore,
    FakeServedSourceStore,
)
from fakes.schedules import FakeScheduleStore, FakeVersionStore
from fakes.servers import FakeServers
from fakes.upstream import FakeLegacyKeyspace, FakeQueue, FakeScheduleSource
from fakes.work import FakeDeliveryHeartbeats, FakePublisherPresence, FakeWorkQueue
from schedules_pipeline.composition import Pipeline, Policies, Store, Timing, Upstreams
from schedules_pipeline.domain.broadcast_day import BroadcastCalendar
from schedules_pipeline.domain.retention import KEEPS_EVERYTHING, RetentionHorizon
from schedules_pipeline.maintenance.collect_garbage import RetentionPeriods
from schedules_pipeline.publishing.policy import LossPolicy, PublishingPolicy

TOY_LOSSES = LossPolicy(smallest_share=0.5, tolerated=timedelta(0))
"""A document with less than half of the airtime that it replaces is held."""


@dataclass(frozen=True, slots=True)
class FakeStore:
    """The fakes of one store by their own types; :meth:`as_store` returns them as ports."""

    schedules: FakeScheduleStore
    copies: FakeCopyStore
    references: FakeReferenceIndex
    work: FakeWorkQueue
    feed: FakeChangeFeed
    rejections: FakeRejectionStore
    quarantined_broadcasts: FakeQuarantinedBroadcastStore
    losses: FakeLossStore
    expectations: FakeExpectationStore
    comparisons: FakeComparisonStore
    counters: FakeCounterStore
    presence: FakePublisherPresence
    passes: FakePassStore
    versions: FakeVersionStore
    coldstarts: FakeColdstartStore
    server: FakeServers
    continuity: FakeContinuityStore
    parity_trend: FakeParityTrendStore
    served: FakeServedSourceStore
    queue_polls: FakeQueuePollStore
    failing_checks: FakeFailingCheckStore
    incidents: FakeIncidentStore
    memory_history: FakeMemoryHistory
    dagster: FakeDagsterStore
    partners: FakePartnerStore
    subscriptions: FakeSubscriptionStore
    sign_ins: FakeSignInStore
    heartbeats: FakeDeliveryHeartbeats

    def as_store(self) -> Store:
        return Store(
            schedules=self.schedules,
            copies=self.copies,
            references=self.references,
            work=self.work,
            feed=self.feed,
            rejections=self.rejections,
            quarantined_broadcasts=self.quarantined_broadcasts,
            losses=self.losses,
            expectations=self.expectations,
            comparisons=self.comparisons,
            counters=self.counters,
            presence=self.presence,
            passes=self.passes,
            versions=self.versions,
            coldstarts=self.coldstarts,
            server=self.server,
            continuity=self.continuity,
            parity_trend=self.parity_trend,
            served=self.served,
            queue_polls=self.queue_polls,
            failing_checks=self.failing_checks,
            incidents=self.incidents,
            memory_history=self.memory_history,
            dagster=self.dagster,
            partners=self.partners,
            subscriptions=self.subscriptions,
            sign_ins=self.sign_ins,
            heartbeats=self.heartbeats,
        )


@dataclass(frozen=True, slots=True)
class FakeUpstreams:
    """The fakes of all upstreams, each by its own type."""

    schedule_source: FakeScheduleSource
    catalogue_source: FakeCatalogueSource
    schedule_queue: FakeQueue
    catalogue_queue: FakeQueue
    legacy: FakeLegacyKeyspace
    schedule_dead_letters: FakeQueue
    catalogue_dead_letters: FakeQueue

    def as_upstreams(self) -> Upstreams:
        return Upstreams(
            schedule_source=self.schedule_source,
            catalogue_source=self.catalogue_source,
            schedule_queue=self.schedule_queue,
            catalogue_queue=self.catalogue_queue,
            legacy=self.legacy,
            schedule_dead_letters=self.schedule_dead_letters,
            catalogue_dead_letters=self.catalogue_dead_letters,
        )


def fake_store(clock: FakeClock, conditions: Conditions | None = None) -> FakeStore:
    """An empty store."""
    conditions = conditions or Conditions()
    references = FakeReferenceIndex(conditions)
    coldstarts, server = FakeColdstartStore(conditions, clock), FakeServers(conditions)
    feed = FakeChangeFeed(conditions, clock)
    schedules, counters = FakeScheduleStore(conditions), FakeCounterStore(conditions)
    return FakeStore(
        schedules=schedules,
        copies=FakeCopyStore(conditions, references, clock),
        references=references,
        work=FakeWorkQueue(conditions),
        feed=feed,
        rejections=FakeRejectionStore(conditions, counters),
        quarantined_broadcasts=FakeQuarantinedBroadcastStore(conditions),
        losses=FakeLossStore(conditions),
        expectations=FakeExpectationStore(conditions),
        comparisons=FakeComparisonStore(conditions),
        counters=counters,
        presence=FakePublisherPresence(conditions, clock),
        passes=FakePassStore(conditions),
        versions=FakeVersionStore(conditions, schedules),
        coldstarts=coldstarts,
        server=server,
        continuity=FakeContinuityStore(conditions, clock, coldstarts, feed, server),
        parity_trend=FakeParityTrendStore(conditions),
        served=FakeServedSourceStore(conditions),
        queue_polls=FakeQueuePollStore(conditions, clock),
        failing_checks=FakeFailingCheckStore(conditions),
        incidents=FakeIncidentStore(conditions, clock),
        dagster=FakeDagsterStore(conditions),
        memory_history=FakeMemoryHistory(conditions),
        partners=FakePartnerStore(conditions, clock),
        subscriptions=FakeSubscriptionStore(conditions),
        sign_ins=FakeSignInStore(conditions),
        heartbeats=FakeDeliveryHeartbeats(conditions),
    )


def fake_upstreams(clock: FakeClock, random: Random, conditions: Conditions | None = None) -> FakeUpstreams:
    """Empty sources and queues."""
    conditions = conditions or Conditions()
    return FakeUpstreams(
        schedule_source=FakeScheduleSource(conditions),
        catalogue_source=FakeCatalogueSource(conditions),
        schedule_queue=FakeQueue(conditions, clock, random, "schedule"),
        catalogue_queue=FakeQueue(conditions, clock, random, "catalogue"),
        legacy=FakeLegacyKeyspace(conditions),
        schedule_dead_letters=FakeQueue(conditions, clock, random, "dead schedule"),
        catalogue_dead_letters=FakeQueue(conditions, clock, random, "dead catalogue"),
    )


def pipeline_over(
    store: Store,
    upstreams: FakeUpstreams,
    clock: FakeClock,
    horizon: RetentionHorizon = KEEPS_EVERYTHING,
    kept_for: RetentionPeriods = RetentionPeriods(),  # noqa: B008 - frozen
    losses: LossPolicy = TOY_LOSSES,
) -> Pipeline:
    """The real workflows. Leases are not renewed, and waiting turns the clock."""
    calendar = BroadcastCalendar(ZoneInfo("Europe/London"), ("*radio*",))
    return Pipeline(
        store,
        upstreams.as_upstreams(),
        calendar,
        clock,
        Policies(
            PublishingPolicy(losses, horizon=horizon),
            kept_for=kept_for,
            purge_settles_for=timedelta(seconds=60),
        ),
        Timing(
            wait=lambda seconds: clock.advance(timedelta(seconds=seconds)),
            keep_alive=lambda *_: nullcontext(),
        ),
    )
