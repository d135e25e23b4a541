"""``schedules-pipeline reconcile``: one reconciliation in this process."""

import re

import click

from schedules_pipeline.cli.answer import Answer, answering
from schedules_pipeline.cli.passes import pass_answer
from schedules_pipeline.cli.printing import all_option, remark
from schedules_pipeline.cli.session import Session
from schedules_pipeline.maintenance.reconcile import EVERYTHING, Share

_SHARE = re.compile(r"([0-9]{1,4})/([0-9]{1,4})")


@click.command("reconcile")
@all_option("All schedules, as without --share.")
@click.option("--share", metavar="N/M", help="The N-th of M shares of all schedules, from 1.")
@answering
def command(session: Session, everything: bool, share: str | None) -> Answer:
    """Compare stored schedules and copies with the sources, repair differences, and count them.

    A difference is checked again after a while, since a change may be on its way. Ends with 1 if anything differed,
    repaired or not.
    """
    if everything and share is not None:
        raise click.UsageError("--all and --share contradict each other")
    chosen = EVERYTHING if share is None else _share(share)
    report = session.pipeline.reconciler.reconcile(chosen, say=remark)
    return pass_answer(report, is_wrong=report.counts.get("differed", 0) > 0)


def _share(text: str) -> Share:
    match = _SHARE.fullmatch(text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise click.UsageError(f"{text!r} is no share: N/M, such as 1/24, with N from 1 to M")
    return Share(int(match[1]), int(match[2]))
