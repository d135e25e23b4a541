"""``schedules-pipeline export``: schedules and their catalogue items, for a test or a fault report."""

from datetime import timedelta
from pathlib import Path

import click

from schedules_pipeline.cli.answer import Answer, answering
from schedules_pipeline.cli.arguments import not_found, output_options, require_new, take_only_key, writing
from schedules_pipeline.cli.session import Session
from schedules_pipeline.cli.wording import counted
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.history.exporting import export_history
from schedules_pipeline.history.recorded import SchedulePut, write_history


@click.command("export")
@click.argument("words", nargs=-1, metavar="SID DATE")
@click.option(
    "--days", type=click.IntRange(1, 400), default=1, show_default=True, help="This many days from DATE on."
)
@output_options("FILE.jsonl.gz")
@answering
def command(session: Session, words: tuple[str, ...], days: int, path: Path, overwrite: bool) -> Answer:
    """Write accepted schedules, and the catalogue items that they need, to a recorded history.

    Imported into another pipeline, it gives the same published content.
    """
    first = take_only_key(words)
    require_new(path, overwrite=overwrite)
    keys = [ScheduleKey(first.sid, first.date + timedelta(days=n)) for n in range(days)]
    events = list(export_history(session.pipeline.store, keys, session.now()))
    schedules = sum(isinstance(event, SchedulePut) for event in events)
    if not schedules:
        raise not_found(first, session.pipeline.store.feed.heads())
    with writing(path):
        write_history(path, events)
    items = len(events) - schedules
    return Answer(
        {"path": str(path), "schedules": schedules, "items": items},
        f"wrote {counted(schedules, 'schedule')} and {counted(items, 'item')} to {path}",
    )
