"""``schedules-pipeline export``: schedules and what they need, for a test or for whoever looks into a fault."""

from datetime import timedelta
from pathlib import Path

import click

from schedules_pipeline.cli.arguments import not_found, require_new, take_only_key
from schedules_pipeline.cli.endings import CommandExit
from schedules_pipeline.cli.printing import json_option, print_json, say
from schedules_pipeline.cli.session import Session, pass_session
from schedules_pipeline.cli.wording import counted
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.history.exporting import export_history
from schedules_pipeline.history.recorded import SchedulePut, write_history


@click.command("export", short_help="Write schedules and what they need to a recorded history.")
@click.argument("words", nargs=-1, metavar="SID DATE")
@click.option(
    "--days", type=click.IntRange(1, 400), default=1, show_default=True, help="So many days from DATE on."
)
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE.jsonl.gz",
    help="Where to write it.",
)
@click.option("--overwrite", is_flag=True, help="Also where that file is there already.")
@json_option
@pass_session
def command(
    session: Session, words: tuple[str, ...], days: int, path: Path, overwrite: bool, as_json: bool
) -> None:
    """Write accepted schedules, and the catalogue items that they need, to a recorded history.

    Imported into another pipeline, it gives the same published content: for a test, or with the report of a fault.
    """
    first = take_only_key(words)
    require_new(path, overwrite=overwrite)
    keys = [ScheduleKey(first.sid, first.date + timedelta(days=n)) for n in range(days)]
    events = list(export_history(session.pipeline.store, keys, session.now()))
    schedules = sum(isinstance(event, SchedulePut) for event in events)
    if not schedules:
        raise not_found(first, session.pipeline.store.feed.heads())
    try:
        write_history(path, events)
    except OSError as error:
        raise CommandExit(f"{path} cannot be written: {error.strerror}") from error
    items = len(events) - schedules
    if as_json:
        print_json({"path": str(path), "schedules": schedules, "items": items})
    else:
        say(f"wrote {counted(schedules, 'schedule')} and {counted(items, 'item')} to {path}")
