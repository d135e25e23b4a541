"""How a finished pass is told, for the commands that run one in this process."""

from schedules_pipeline.cli.endings import Ending, end_as
from schedules_pipeline.cli.printing import print_json, remark, say
from schedules_pipeline.cli.wording import duration
from schedules_pipeline.maintenance.ports.passes import PassReport


def end_with(report: PassReport, *, as_json: bool, is_wrong: bool = False) -> None:
    """Tell what a pass found and did; ends as wrong where it failed, or where the caller says so."""
    if as_json:
        print_json(report_fields(report))
    else:
        say(f"{report.name} in {duration(report.seconds)}")
        for what, count in report.counts.items():
            say(f"{count:>10,}  {what}")
    if report.problem:
        remark(f"error: {report.problem}")
    if report.problem or is_wrong:
        end_as(Ending.WRONG)


def report_fields(report: PassReport) -> dict[str, object]:
    return {
        "pass": report.name.value,
        "began_at": report.began_at,
        "ended_at": report.ended_at,
        "seconds": report.seconds,
        "counts": dict(report.counts),
        "problem": report.problem,
    }
