"""``schedules-pipeline parity``: the parity of all schedules with the old system, and whether to switch."""

from collections.abc import Iterator

import click

from schedules_pipeline.cli.answer import Answer, Shown, answering, line, table
from schedules_pipeline.cli.session import Ending, Session
from schedules_pipeline.migration import render_report as tables
from schedules_pipeline.migration.ports import ParityReport


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
    report = session.pipeline.parity_reporter.preview()
    ending = Ending.WELL if report.is_ready else Ending.WRONG
    return Answer(tables.as_json(report, worst), _shown(report, worst), ending)


def _shown(report: ParityReport, worst: int) -> Iterator[Shown]:
    yield line(report.headline, "bold green" if report.is_ready else "bold red")
    yield tables.counts_line(report)
    yield from (line(f"objection: {objection}", "red") for objection in report.objections)
    yield from report.remarks
    if report.by_service:
        yield table(*tables.tally_table("service", report.by_service))
    if report.by_field:
        yield table(*tables.field_table(report))
    if report.reasons:
        yield table(*tables.reason_table(report))
    if report.held:
        yield table(*tables.held_table(report))
    if report.worst and worst:
        yield table(*tables.worst_table(report, worst, 3))
