"""``schedules-pipeline doctor``: root causes of faults, active probes, and safe remedies."""

from collections.abc import Iterator, Sequence
from typing import Any

import click
from rich.text import Text

from schedules_pipeline.cli.answer import Answer, Shown, agrees, answering, line, members, remark
from schedules_pipeline.cli.arguments import yes_option
from schedules_pipeline.cli.doctor_probes import Options, build_examiner
from schedules_pipeline.cli.doctor_remedies import Remedy, plan_remedies
from schedules_pipeline.cli.session import Ending, Session
from schedules_pipeline.cli.wording import counted
from schedules_pipeline.errors import PipelineError
from schedules_pipeline.health.condition import Severity
from schedules_pipeline.health.diagnose import Explanation
from schedules_pipeline.health.examine import Examination
from schedules_pipeline.health.probes.probe import ProbeResult, Verdict


@click.command("doctor")
@click.option("--fix", is_flag=True, help="Apply safe remedies, each shown and asked for before.")
@yes_option
@click.option("--passive", is_flag=True, help="Send no canaries through the queues.")
@click.option(
    "--limit",
    type=click.FloatRange(min=1, max=600),
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a canary may take.",
)
@click.option(
    "--delivery", metavar="URL", help="The address of the delivery service, to ask whether it is ready."
)
@answering
def command(
    session: Session, fix: bool, yes: bool, passive: bool, limit: float, delivery: str | None
) -> Answer:
    """Find root causes of faults, test the installation, and apply safe remedies.

    Ends with 0 if there are warnings at most, with 1 if something is wrong, also if --fix has mended it, and with 3 if
    Redis did not answer, so that most of the system is unknown. What could not be checked changes no exit code.
    """
    if yes and not fix:
        raise click.UsageError("--yes is for --fix")
    found = build_examiner(session, Options(limit, delivery, passive)).examine()
    done = _fix(session, found, yes=yes) if fix else []
    ending = Ending.WELL if found.is_well else Ending.WRONG if found.could_look else Ending.NO_ANSWER
    return Answer(_document(found, done), _shown(session, found, done, fix=fix), ending)


def _fix(session: Session, found: Examination, *, yes: bool) -> list[dict[str, Any]]:
    """Apply the remedies, one after the other. The operator reads the root causes before the first question."""
    for root in () if yes else found.roots:
        remark(f"{root.severity}: {root.sentence}")
    return [_apply(remedy, yes=yes) for remedy in plan_remedies(session, found.faults)]


def _apply(remedy: Remedy, *, yes: bool) -> dict[str, Any]:
    """Show a remedy, ask, apply it, and return its result. The next is tried also if one fails."""
    remark(f"remedy: {remedy.what}")
    if not agrees("Do it?", yes=yes):
        return {"remedy": remedy.what, "is_done": False, "result": "left out"}
    try:
        return {"remedy": remedy.what, "is_done": True, "result": remedy.do()}
    except PipelineError as error:
        return {"remedy": remedy.what, "is_done": False, "result": f"failed: {error}"}


def _document(found: Examination, done: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "checked_at": found.at,
        "is_well": found.is_well,
        "roots": [{"sentence": root.sentence, **_explained(root)} for root in found.roots],
        "probes": [_probe_fields(result) for result in found.results],
        "remedies": list(done),
    }


def _explained(explanation: Explanation) -> dict[str, Any]:
    fault = explanation.fault
    return {
        **members(fault, "name", "severity"),
        "subjects": sorted(fault.subjects),
        **members(fault, "text", "remedy"),
        "explains": [_explained(effect) for effect in explanation.effects],
    }


def _probe_fields(result: ProbeResult) -> dict[str, Any]:
    return {
        **members(result, "name", "proves", "verdict"),
        "limit_seconds": result.limit.total_seconds(),
        "seconds": round(result.seconds, 3),
        "findings": [members(f, "verdict", "subject", "text", "remedy") for f in result.findings],
    }


def _shown(
    session: Session, found: Examination, done: Sequence[dict[str, Any]], *, fix: bool
) -> Iterator[Shown]:
    for root in found.roots:
        yield line(
            f"{root.severity}: {root.sentence}", "" if root.severity is Severity.WARNING else "bold red"
        )
    if found.roots:
        yield ""
    for result in found.results:
        yield from _lines(result)
    yield ""
    for each in done:
        yield f"{each['remedy']}: {each['result']}"
    if fix and found.faults and not done:
        yield "no remedy for this is safe to apply automatically"
    verdict = counted(len(found.roots), "root cause") if found.roots else "all is well"
    yield Text(f"{session.local(found.at)}  {verdict}", style="green" if found.is_well else "bold red")


def _lines(result: ProbeResult) -> Iterator[Shown]:
    """The probe with its proof and its time, and below it the findings."""
    took = f"{result.seconds:.2f} of {result.limit.total_seconds():g} s"
    style = {Verdict.FAILED: "bold red", Verdict.UNCHECKED: "yellow"}.get(result.verdict, "")
    yield line(f"{result.verdict:<9}  {result.name}: {result.proves} ({took})", style)
    for finding in result.findings:
        remedy = f": {finding.remedy}" if finding.remedy else ""
        yield line(f"           {finding.text}{remedy}")
