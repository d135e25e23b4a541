"""``schedules-pipeline diff``: the differences between two versions of a schedule."""

import click

from schedules_pipeline.cli.answer import Answer, answering
from schedules_pipeline.cli.arguments import not_found, take_key, take_seqs
from schedules_pipeline.cli.session import Session
from schedules_pipeline.cli.versions import comparison_fields, comparison_shown


@click.command("diff")
@click.argument("words", nargs=-1, metavar="SID DATE [SEQ [SEQ]]")
@answering
def command(session: Session, words: tuple[str, ...]) -> Answer:
    """Show the differences between two versions of a schedule, field by field.

    Without a version, compare the latest with the one before it. With one, compare it with the one before it. With two,
    compare the first with the second.
    """
    key, rest = take_key(words)
    seqs = take_seqs(rest, most=2)
    if not session.pipeline.store.versions.versions(key):
        raise not_found(key, session.pipeline.store.feed.heads())
    before, after = (None, *seqs) if len(seqs) == 1 else seqs or (None, None)
    comparison = session.pipeline.explainer.compare(key, after, before)
    return Answer({"schedule": str(key), **comparison_fields(comparison)}, comparison_shown(key, comparison))
