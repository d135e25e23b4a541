"""The parity report, which an operator reads before the switch from the old system to the pipeline.

Texts from upstream are escaped, because Dagster's UI renders Markdown as HTML.
"""

from collections.abc import Mapping

import dagster as dg

from schedules_pipeline.assets import names
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.connections import report_files
from schedules_pipeline.documents.markdown import escape_markdown, markdown_chart, markdown_table
from schedules_pipeline.event_batches import OwnRunWriter
from schedules_pipeline.migration.parity_chart import render_small_chart
from schedules_pipeline.migration.ports import ParityReport, percent
from schedules_pipeline.migration.render_report import (
    brief_worst_table,
    counts_line,
    field_table,
    held_table,
    one_sided_table,
    reason_table,
    render_csv,
    render_html,
    render_json,
    tally_table,
)
from schedules_pipeline.recording import Recorder
from schedules_pipeline.settings import Settings

_MOST_ROWS = 30
_WORST_SHOWN = 15
_DIFFERENCES_EACH = 3


def parity_assets(settings: Settings) -> dg.AssetsDefinition:
    @dg.asset(
        key=names.PARITY_REPORT,
        deps=[names.PARTNER_SCHEDULE, names.LEGACY_SCHEDULE],
        group_name="legacy",
        kinds={"pandas", "html"},
        owners=names.OWNERS,
        description=(
            "Compares all schedules with the old system's: the share that matches, the differences by service, field "
            "and date, and whether partners may be switched. Runs daily; materialise it for a report as of now."
        ),
    )
    def parity_report(
        context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]
    ) -> dg.MaterializeResult[None]:
        if pipeline.comparer.is_due():
            recorder = Recorder(
                pipeline, settings, context.instance, OwnRunWriter(context.op_execution_context)
            )
            pipeline.comparer.compare_all(recorder.record_comparisons)
        report = pipeline.parity_reporter.report()
        context.log.info(report.headline)
        paths = report_files(settings, context.instance.storage_directory(), "parity").put(
            report.at,
            {"html": render_html(report), "csv": render_csv(report), "json": render_json(report)},
        )
        metadata = {
            **report_metadata(report),
            **{f"report ({ending})": dg.MetadataValue.path(path) for ending, path in paths.items()},
        }
        return dg.MaterializeResult(metadata=metadata)

    return parity_report


def report_metadata(report: ParityReport) -> Mapping[str, dg.MetadataValue]:
    """The verdict, the numbers that Dagster plots over time, and the tables, in this order."""
    counts = report.overall
    # As a percentage, because Dagster's axis has no room for 0.9981.
    share = {} if counts.share is None else {"matching_percent": percent(counts.share)}
    chart = render_small_chart([*report.trend, report.point], report.requirements.matching_share)
    tables = {
        "by service": tally_table("service", report.by_service),
        "by field": field_table(report),
        "by date": tally_table("date", report.by_date),
        "worst schedules": brief_worst_table(report, _WORST_SHOWN, _DIFFERENCES_EACH),
        "not comparable": reason_table(report),
        "held": held_table(report),
        "only one side has": one_sided_table(report, 1_000),
    }
    return {
        "verdict": dg.MetadataValue.md(_verdict(report)),
        **{name: dg.MetadataValue.float(value) for name, value in share.items()},
        "comparable_percent": dg.MetadataValue.float(percent(counts.coverage)),
        "schedules": dg.MetadataValue.int(counts.schedules),
        "comparable": dg.MetadataValue.int(counts.comparable),
        "matching": dg.MetadataValue.int(counts.matching),
        "differing": dg.MetadataValue.int(counts.comparable - counts.matching),
        "trend": dg.MetadataValue.md(markdown_chart("share that matches, over past reports", chart)),
        **{
            name: dg.MetadataValue.md(markdown_table(columns, rows, _MOST_ROWS))
            for name, (columns, rows) in tables.items()
        },
    }


def _verdict(report: ParityReport) -> str:
    lines = [f"**{escape_markdown(report.headline)}**", "", escape_markdown(counts_line(report)), ""]
    lines += [f"- objection: {escape_markdown(objection)}" for objection in report.objections]
    lines += [f"- {escape_markdown(remark)}" for remark in report.remarks]
    return "\n".join(lines)
