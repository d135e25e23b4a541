"""``schedules-pipeline collect``: the collection of garbage, in this process."""

import click

from schedules_pipeline.cli.passes import end_with
from schedules_pipeline.cli.printing import json_option, remark
from schedules_pipeline.cli.session import Session, pass_session


@click.command("collect", short_help="Collect garbage: what no schedule depends on, and what is long over.")
@json_option
@pass_session
def command(session: Session, as_json: bool) -> None:
    """Collect garbage: catalogue copies and index entries that no schedule depends on, and schedules past the
    retention horizon. Safe while changes arrive.
    """
    end_with(session.pipeline.collector.collect(say=remark), as_json=as_json)
