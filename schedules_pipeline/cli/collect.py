"""``schedules-pipeline collect``: one garbage collection in this process."""

import click

from schedules_pipeline.cli.answer import Answer, answering
from schedules_pipeline.cli.passes import pass_answer
from schedules_pipeline.cli.printing import remark
from schedules_pipeline.cli.session import Session


@click.command("collect")
@answering
def command(session: Session) -> Answer:
    """Collect garbage: catalogue copies and index entries that no schedule depends on, and schedules past the
    retention horizon. Safe while changes arrive.
    """
    return pass_answer(session.pipeline.collector.collect(say=remark))
