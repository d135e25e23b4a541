"""The parity report: gathers what the comparisons with the old system found, has it tabulated, remembers it.

It compares nothing itself (``workflows.compare_legacy`` does). What a report says is decided in
``workflows.judge_parity``, and its tables are made in ``workflows.tabulate_parity``.
"""

from schedules_pipeline.domain.clock import Clock
from schedules_pipeline.maintenance.ports.passes import PassName, PassReport, PassStore
from schedules_pipeline.migration.judge_parity import Evidence
from schedules_pipeline.migration.ports.comparisons import ComparisonStore
from schedules_pipeline.migration.ports.legacy import LegacyKeyspace
from schedules_pipeline.migration.ports.parity import ParityReport, ParityTrendStore, Requirements
from schedules_pipeline.publishing.ports.feed import ChangeFeed


class ParityReporter:
    def __init__(
        self,
        feed: ChangeFeed,
        comparisons: ComparisonStore,
        legacy: LegacyKeyspace,
        trend: ParityTrendStore,
        passes: PassStore,
        requirements: Requirements,
        clock: Clock,
    ) -> None:
        self._feed = feed
        self._comparisons = comparisons
        self._legacy = legacy
        self._trend = trend
        self._passes = passes
        self._requirements = requirements
        self._clock = clock

    def look(self) -> ParityReport:
        """The report as of now; leaves no trace."""
        # Here and not above: it imports pandas, which only a report should wait for.
        from schedules_pipeline.migration.tabulate_parity import tabulate  # noqa: PLC0415

        return tabulate(self._gather(), self._requirements, self._clock())

    def report(self) -> ParityReport:
        """The report as of now, added to the trend and noted as a pass, also where it fails."""
        began_at = self._clock()
        try:
            report = self.look()
            self._trend.append(report.point)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"[:500]
            self._passes.record(PassReport(PassName.PARITY, began_at, self._clock(), problem=problem))
            raise
        self._passes.record(PassReport(PassName.PARITY, began_at, self._clock(), _counts(report)))
        return report

    def _gather(self) -> Evidence:
        """The comparisons last: one that is newer than the rest counts as none, never as a match."""
        refreshed_at = self._legacy.refreshed_at()
        heads, legacy = self._feed.heads(), frozenset(self._legacy.list_keys())
        compared_refresh = self._comparisons.compared_refresh()
        return Evidence(
            heads,
            legacy,
            self._comparisons.all(),
            refreshed_at,
            compared_refresh,
            tuple(self._trend.all()),
        )


def _counts(report: ParityReport) -> dict[str, int]:
    return {
        "schedules": report.overall.schedules,
        "comparable": report.overall.comparable,
        "matching": report.overall.matching,
        "ready": int(report.is_ready),
    }
