"""``schedules-pipeline parity``: how all schedules stand against the old system, and whether to switch."""

from typing import TYPE_CHECKING

import click

from schedules_pipeline.cli.endings import Ending, end_as
from schedules_pipeline.cli.printing import json_option, print_json, print_table, say
from schedules_pipeline.cli.session import Session, pass_session

if TYPE_CHECKING:
    from schedules_pipeline.migration.ports.parity import ParityReport
    from schedules_pipeline.migration.render_report import Table


@click.command("parity", short_help="How all schedules stand against the old system, and whether to switch.")
@click.option("--worst", default=5, show_default=True, type=click.IntRange(0, 100), help="How many to show.")
@json_option
@pass_session
def command(session: Session, worst: int, as_json: bool) -> None:
    """Show the parity report as of now, the verdict first.

    It goes by the latest comparison with the old system, and says where that is stale; to compare first,
    materialise the asset `parity_report`. Ends with 1 where partners should not be switched.
    """
    from schedules_pipeline.migration.render_report import as_json as plain  # noqa: PLC0415 - only where asked

    report = session.pipeline.parity_reporter.look()
    if as_json:
        print_json(plain(report, worst))
    else:
        _print(report, worst)
    end_as(Ending.WELL if report.is_ready else Ending.WRONG)


def _print(report: "ParityReport", worst: int) -> None:
    from schedules_pipeline.migration import render_report as tables  # noqa: PLC0415 - as above

    say(report.headline, "bold green" if report.is_ready else "bold red")
    say(tables.counts_line(report))
    for objection in report.objections:
        say(f"objection: {objection}", "red")
    for remark in report.remarks:
        say(remark)
    if report.by_service:
        print_table(*_right(tables.tally_table("service", report.by_service)))
    if report.by_field:
        print_table(*_right(tables.field_table(report)))
    if report.reasons:
        print_table(*_right(tables.reason_table(report)))
    if report.worst and worst:
        print_table(*_right(tables.worst_table(report, worst, 3)))


def _right(table: "Table") -> tuple[list[str], list[list[str]]]:
    """Columns of numbers to the right, with the head that says so."""
    head, rows = table
    numeric = [all(isinstance(row[i], int) for row in rows) for i in range(len(head))]
    heads = [f"{name}>" if is_number else name for name, is_number in zip(head, numeric, strict=True)]
    return heads, [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in rows]
