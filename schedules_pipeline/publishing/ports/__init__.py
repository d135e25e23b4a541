"""The ports of publishing: protocols of its stores and sources, and the values that they exchange."""

from dataclasses import dataclass

from schedules_pipeline.publishing.ports.catalogue import CatalogueSource, CopyStore
from schedules_pipeline.publishing.ports.counters import CounterStore
from schedules_pipeline.publishing.ports.expectations import ExpectationStore
from schedules_pipeline.publishing.ports.feed import ChangeFeed
from schedules_pipeline.publishing.ports.heartbeats import DeliveryHeartbeats
from schedules_pipeline.publishing.ports.losses import LossStore
from schedules_pipeline.publishing.ports.presence import PublisherPresence
from schedules_pipeline.publishing.ports.quarantined_broadcasts import QuarantinedBroadcastStore
from schedules_pipeline.publishing.ports.references import ReferenceIndex
from schedules_pipeline.publishing.ports.rejections import RejectionStore
from schedules_pipeline.publishing.ports.schedules import ScheduleStore
from schedules_pipeline.publishing.ports.upstream import ScheduleSource
from schedules_pipeline.publishing.ports.versions import VersionStore
from schedules_pipeline.publishing.ports.work import WorkQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishingStore:
    """The stores of publishing. Each room above adds its own."""

    schedules: ScheduleStore
    copies: CopyStore
    references: ReferenceIndex
    work: WorkQueue
    feed: ChangeFeed
    versions: VersionStore
    rejections: RejectionStore
    quarantined_broadcasts: QuarantinedBroadcastStore
    losses: LossStore
    expectations: ExpectationStore
    counters: CounterStore
    presence: PublisherPresence
    heartbeats: DeliveryHeartbeats


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishingSources:
    """The upstreams that publishing reads and never writes."""

    schedule_source: ScheduleSource
    catalogue_source: CatalogueSource
