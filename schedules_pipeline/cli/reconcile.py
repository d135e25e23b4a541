"""``schedules-pipeline reconcile``: what is stored against the sources, in this process."""

import re

import click

from schedules_pipeline.cli.passes import end_with
from schedules_pipeline.cli.printing import json_option, remark
from schedules_pipeline.cli.session import Session, pass_session
from schedules_pipeline.maintenance.reconcile import EVERYTHING, Share

_SHARE = re.compile(r"([0-9]{1,4})/([0-9]{1,4})")


@click.command("reconcile", short_help="Compare what is stored with the sources, and repair what differs.")
@click.option("--all", "everything", is_flag=True, help="All schedules, as without --share.")
@click.option("--share", metavar="N/M", help="The N-th of M shares of all schedules, from 1.")
@json_option
@pass_session
def command(session: Session, everything: bool, share: str | None, as_json: bool) -> None:
    """Compare what is stored with the sources, repair what differs, and count it.

    All schedules, unless a share of them is asked for. What differs is looked at again after a while, for a change
    may be on its way. Ends with 1 where anything differed, mended or not.
    """
    if everything and share is not None:
        raise click.UsageError("--all and --share contradict each other")
    chosen = EVERYTHING if share is None else _share(share)
    report = session.pipeline.reconciler.reconcile(chosen, say=remark)
    end_with(report, as_json=as_json, is_wrong=report.counts.get("differed", 0) > 0)


def _share(text: str) -> Share:
    match = _SHARE.fullmatch(text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise click.UsageError(f"{text!r} is no share: N/M, such as 1/24, with N from 1 to M")
    return Share(int(match[1]), int(match[2]))
