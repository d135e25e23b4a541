"""The expected ranges of each service, and the weekly report of days outside them."""

from collections.abc import Mapping

import dagster as dg

from schedules_pipeline.assets import names
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import report_files
from schedules_pipeline.documents.markdown import markdown_chart, markdown_table
from schedules_pipeline.expectations.outliers import OutlierReport, render_chart, render_outliers
from schedules_pipeline.settings import Settings

_MOST_ROWS = 50
_MOST_CHARTS = 8


def expectation_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    return [_service_expectations(), _outlier_report(settings)]


def _service_expectations() -> dg.AssetsDefinition:
    @dg.asset(
        key=names.SERVICE_EXPECTATIONS,
        deps=[names.PARTNER_SCHEDULE],
        group_name="expectations",
        kinds={"pandas", "redis"},
        owners=names.OWNERS,
        description=(
            "The expected ranges of each service and weekday: number of broadcasts, hours covered, changes an hour, "
            "repeats, unknown episodes. The last week is added to a snapshot of seventy days. The check "
            "within_expected_range and the loss budget use it."
        ),
    )
    def service_expectations(
        context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]
    ) -> dg.MaterializeResult[None]:
        learned = pipeline.expectations.learn(context.log.info)
        return dg.MaterializeResult(
            metadata={
                "services": len(learned),
                "services_without_history": sum(not each.overall for each in learned.values()),
                "days": sum(len(each.observed) for each in learned.values()),
            }
        )

    return service_expectations


def _outlier_report(settings: Settings) -> dg.AssetsDefinition:
    @dg.asset(
        key=names.OUTLIER_REPORT,
        deps=[names.SERVICE_EXPECTATIONS],
        group_name="expectations",
        kinds={"html"},
        owners=names.OWNERS,
        description="Days of the last week that were not as expected, the worst first, with charts of the services.",
    )
    def outlier_report(
        context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]
    ) -> dg.MaterializeResult[None]:
        report = pipeline.expectations.report()
        files = report_files(settings, context.instance.storage_directory(), "outliers")
        path = files.put(report.at, {"html": render_outliers(report).encode()})["html"]
        return dg.MaterializeResult(
            metadata={**report_metadata(report), "report": dg.MetadataValue.path(path)}
        )

    return outlier_report


def report_metadata(report: OutlierReport) -> Mapping[str, dg.MetadataValue]:
    """The numbers that Dagster plots over time, the worst values, and the charts of the worst services."""
    services = dict.fromkeys(outlier.sid for outlier in report.outliers)
    metadata: dict[str, dg.MetadataValue] = {
        "outliers": dg.MetadataValue.int(len(report.outliers)),
        "services_with_outliers": dg.MetadataValue.int(len(services)),
        "services_without_history": dg.MetadataValue.int(len(report.unlearned)),
        "worst": dg.MetadataValue.md(_table(report)),
    }
    for sid in list(services)[:_MOST_CHARTS]:
        chart = render_chart(sid, report.expectations[sid])
        metadata[f"chart {sid}"] = dg.MetadataValue.md(markdown_chart(sid, chart))
    return metadata


def _table(report: OutlierReport) -> str:
    if not report.outliers:
        return "Every day was as expected."
    rows = [
        (
            outlier.sid,
            f"{outlier.day:%a %Y-%m-%d}",
            outlier.measure,
            f"{outlier.value:g}",
            f"{outlier.expected.low:g} to {outlier.expected.high:g}",
            f"{outlier.expected.days} days",
        )
        for outlier in report.outliers
    ]
    return markdown_table(
        ("service", "day", "measure", "value", "expected", "learned from"), rows, _MOST_ROWS
    )
