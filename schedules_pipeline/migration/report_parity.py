"""The parity report: gathers the results of the comparisons, has them tabulated, and remembers the totals.

``compare_legacy`` compares, ``judge_parity`` decides what a report says, and ``tabulate_parity`` makes its tables.
"""

from dataclasses import dataclass

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.domain.retention import RetentionHorizon
from schedules_pipeline.maintenance.ports import PassName
from schedules_pipeline.maintenance.record_pass import recorded_pass
from schedules_pipeline.migration.compare_legacy import find_holds
from schedules_pipeline.migration.judge_parity import Evidence
from schedules_pipeline.migration.ports import MigrationSources, MigrationStore, ParityReport, Requirements


@dataclass(frozen=True, slots=True)
class ParityReporter:
    store: MigrationStore
    sources: MigrationSources
    clock: Clock
    horizon: RetentionHorizon
    requirements: Requirements

    def preview(self) -> ParityReport:
        # Imported here because pandas is slow to import and only reports need it.
        from schedules_pipeline.migration.tabulate_parity import tabulate  # noqa: PLC0415

        return tabulate(self._gather(), self.requirements, self.clock())

    def report(self) -> ParityReport:
        """The report as of now, added to the trend and recorded as a pass."""
        with recorded_pass(PassName.PARITY, self.store.passes, self.clock) as record:
            report = self.preview()
            self.store.parity_trend.append(report.point)
            record(_counts(report))
            return report

    def _gather(self) -> Evidence:
        """Read the comparisons last: one that is newer than the rest then counts as none, never as a match."""
        refreshed_at = self.sources.legacy.refreshed_at()
        heads = self.store.feed.heads()
        legacy = frozenset(self.horizon.select(self.sources.legacy.list_keys(), self.clock()))
        compared_refresh = self.store.comparisons.compared_refresh()
        comparisons = self.store.comparisons.all()
        holds = find_holds(self.store, list(self.store.losses.holds()))
        trend = tuple(self.store.parity_trend.all())
        return Evidence(heads, legacy, comparisons, refreshed_at, compared_refresh, trend, holds)


def _counts(report: ParityReport) -> dict[str, int]:
    return {
        "schedules": report.overall.schedules,
        "comparable": report.overall.comparable,
        "matching": report.overall.matching,
        "ready": int(report.is_ready),
    }
