"""The stores and sources of the migration: comparisons, parity, the switch, the legacy keyspace."""

from dataclasses import dataclass

from schedules_pipeline.maintenance.ports import MaintenanceSources, MaintenanceStore
from schedules_pipeline.migration.ports.comparisons import ComparisonStore
from schedules_pipeline.migration.ports.legacy import LegacyKeyspace
from schedules_pipeline.migration.ports.parity import ParityTrendStore
from schedules_pipeline.migration.ports.served import ServedSourceStore


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationStore(MaintenanceStore):
    comparisons: ComparisonStore
    parity_trend: ParityTrendStore
    served: ServedSourceStore


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationSources(MaintenanceSources):
    legacy: LegacyKeyspace
