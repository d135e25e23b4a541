"""``schedules-pipeline reconcile`` and ``collect``: one full pass in this process."""

import re
from collections.abc import Iterator

import click

from schedules_pipeline.cli.answer import Answer, answering, members, remark
from schedules_pipeline.cli.arguments import all_option
from schedules_pipeline.cli.session import Ending, Session
from schedules_pipeline.cli.wording import duration
from schedules_pipeline.maintenance.ports import PassReport
from schedules_pipeline.maintenance.reconcile import EVERYTHING, Share

_SHARE = re.compile(r"([0-9]{1,4})/([0-9]{1,4})")


@click.command("reconcile")
@all_option("All schedules, as without --share.")
@click.option("--share", metavar="N/M", help="The N-th of M shares of all schedules, from 1.")
@answering
def reconcile(session: Session, everything: bool, share: str | None) -> Answer:
    """Compare stored schedules and copies with the sources, repair differences, and count them.

    A difference is checked again after a while, since a change may be on its way. Ends with 1 if anything differed,
    repaired or not.
    """
    if everything and share is not None:
        raise click.UsageError("--all and --share contradict each other")
    chosen = EVERYTHING if share is None else _share(share)
    report = session.pipeline.reconciler.reconcile(chosen, say=remark)
    return _answer(report, is_wrong=report.counts.get("differed", 0) > 0)


def _share(text: str) -> Share:
    match = _SHARE.fullmatch(text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise click.UsageError(f"{text!r} is no share: N/M, such as 1/24, with N from 1 to M")
    return Share(int(match[1]), int(match[2]))


@click.command("collect")
@answering
def collect(session: Session) -> Answer:
    """Collect garbage: catalogue copies and index entries that no schedule depends on, and schedules past the
    retention horizon. Safe while changes arrive.
    """
    return _answer(session.pipeline.collector.collect(say=remark))


def _answer(report: PassReport, *, is_wrong: bool = False) -> Answer:
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
