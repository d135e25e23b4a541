"""``schedules-pipeline parity``: the parity of all schedules with the old system, and whether to switch."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from schedules_pipeline.cli.answer import Answer, Shown, answering
from schedules_pipeline.cli.endings import Ending
from schedules_pipeline.cli.printing import line, table
from schedules_pipeline.cli.session import Session

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from schedules_pipeline.migration.ports.parity import ParityReport
    from schedules_pipeline.migration.render_report import Table


@click.command("parity")
@click.option(
    "--worst", default=5, show_default=True, type=click.IntRange(0, 100), help="How many schedules to show."
)
@answering
def command(session: Session, worst: int) -> Answer:
    """Show the current parity report, the verdict first.

    It uses the latest comparison with the old system and says if that is stale; to compare first, materialise the asset
    `parity_report`. Ends with 1 if partners should not be switched.
    """
    from schedules_pipeline.migration.render_report import as_json  # noqa: PLC0415 - only this command needs it

    report = session.pipeline.parity_reporter.preview()
    ending = Ending.WELL if report.is_ready else Ending.WRONG
    return Answer(as_json(report, worst), _shown(report, worst), ending)


def _shown(report: "ParityReport", worst: int) -> Iterator[Shown]:
    from schedules_pipeline.migration import render_report as tables  # noqa: PLC0415 - as above

    yield line(report.headline, "bold green" if report.is_ready else "bold red")
    yield tables.counts_line(report)
    yield from (line(f"objection: {objection}", "red") for objection in report.objections)
    yield from report.remarks
    if report.by_service:
        yield _right_aligned(tables.tally_table("service", report.by_service))
    if report.by_field:
        yield _right_aligned(tables.field_table(report))
    if report.reasons:
        yield _right_aligned(tables.reason_table(report))
    if report.worst and worst:
        yield _right_aligned(tables.worst_table(report, worst, 3))


def _right_aligned(made: "Table") -> "RichTable":
    """Columns of numbers are aligned to the right."""
    head, rows = made
    numeric = [all(isinstance(row[i], int) for row in rows) for i in range(len(head))]
    heads = [f"{name}>" if is_number else name for name, is_number in zip(head, numeric, strict=True)]
    return table(heads, [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in rows])
