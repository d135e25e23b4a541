"""The stores and sources that the full passes need."""

from dataclasses import dataclass

from schedules_pipeline.maintenance.ports.coldstart import ColdstartStore
from schedules_pipeline.maintenance.ports.passes import PassStore
from schedules_pipeline.publishing.ports import PublishingSources, PublishingStore
from schedules_pipeline.publishing.ports.upstream import NotificationQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceStore(PublishingStore):
    coldstarts: ColdstartStore
    passes: PassStore


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceSources(PublishingSources):
    schedule_queue: NotificationQueue
    catalogue_queue: NotificationQueue
    schedule_dead_letters: NotificationQueue
    catalogue_dead_letters: NotificationQueue
