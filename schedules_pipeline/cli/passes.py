"""The report of a finished pass, for the commands that run one in this process."""

from collections.abc import Iterator

from schedules_pipeline.cli.answer import Answer
from schedules_pipeline.cli.endings import Ending
from schedules_pipeline.cli.printing import members
from schedules_pipeline.cli.wording import duration
from schedules_pipeline.maintenance.ports.passes import PassReport


def pass_answer(report: PassReport, *, is_wrong: bool = False) -> Answer:
    """Ends as wrong if the pass failed, or if the caller says so."""
    document = {
        "pass": report.name,
        **members(report, "began_at", "ended_at", "seconds", "counts", "problem"),
    }
    ending = Ending.WRONG if report.problem or is_wrong else Ending.WELL
    return Answer(document, _shown(report), ending, report.problem)


def _shown(report: PassReport) -> Iterator[str]:
    yield f"{report.name} in {duration(report.seconds)}"
    yield from (f"{count:>10,}  {what}" for what, count in report.counts.items())
