"""``schedules-pipeline import``: a recorded history, put where the pipeline looks for its sources."""

from collections import Counter
from pathlib import Path

import click

from schedules_pipeline.cli.endings import CommandExit, Ending
from schedules_pipeline.cli.printing import json_option, print_json, progress, say
from schedules_pipeline.cli.session import Session, pass_session
from schedules_pipeline.cli.wording import counted
from schedules_pipeline.history.importing import connect_destination, find_addresses_elsewhere, import_history
from schedules_pipeline.history.recorded import CatalogueUpdated, HistoryEvent, SchedulePut, read_history

_ALLOWED_ELSEWHERE = "--into-sources-elsewhere"


@click.command("import", short_help="Put a recorded history into the sources, and announce it.")
@click.argument(
    "path", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="HISTORY.jsonl.gz"
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="So many times as fast as it was recorded; without it, as fast as it can be written.",
)
@click.option(
    _ALLOWED_ELSEWHERE,
    "elsewhere",
    is_flag=True,
    help="Also where the sources are not on this machine. It OVERWRITES their documents.",
)
@json_option
@pass_session
def command(session: Session, path: Path, speed: float | None, elsewhere: bool, as_json: bool) -> None:
    """Put a recorded history into the configured bucket and catalogue keyspace, and announce it.

    These are the upstreams' own, so it refuses where they are not on this machine. The history is read to its end
    before anything is written.
    """
    addresses = find_addresses_elsewhere(session.settings)
    if addresses and not elsewhere:
        raise CommandExit(
            f"the sources are not on this machine: {', '.join(addresses)}; nothing was written. "
            f"{_ALLOWED_ELSEWHERE} overwrites them all the same",
            Ending.USAGE,
        )
    counts = Counter(_kind(event) for event in read_history(path))
    upstreams = session.pipeline.upstreams
    destination = connect_destination(session.settings, upstreams.schedule_queue, upstreams.catalogue_queue)
    with progress("importing", counts.total()) as advance:
        import_history(
            read_history(path), destination, session.now, session.sleep, speed, lambda _: advance(1)
        )
    if as_json:
        print_json({"schedules": counts["schedule"], "items": counts["item"]})
    else:
        say(
            f"imported {counted(counts['schedule'], 'schedule document')} and {counted(counts['item'], 'item')}"
        )


def _kind(event: HistoryEvent) -> str:
    match event:
        case CatalogueUpdated():
            return "item"
        case SchedulePut():
            return "schedule"
    raise TypeError(f"an event of no known kind: {event!r:.80}")
