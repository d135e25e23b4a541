"""``schedules-pipeline import``: a recorded history, written into the pipeline's sources."""

from collections import Counter
from itertools import count
from pathlib import Path

import click

from schedules_pipeline.cli.answer import Answer, answering, progress
from schedules_pipeline.cli.arguments import EXISTING_FILE
from schedules_pipeline.cli.session import CommandExit, Ending, Session
from schedules_pipeline.cli.wording import counted
from schedules_pipeline.history.importing import connect_destination, find_addresses_elsewhere, import_history
from schedules_pipeline.history.recorded import (
    CatalogueDeleted,
    CatalogueUpdated,
    SchedulePut,
    ScheduleRemoved,
    read_history,
)

_ALLOWED_ELSEWHERE = "--into-sources-elsewhere"


@click.command("import")
@click.argument("path", type=EXISTING_FILE, metavar="HISTORY.jsonl.gz")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="N times as fast as it was recorded; without it, as fast as possible.",
)
@click.option(
    _ALLOWED_ELSEWHERE,
    "elsewhere",
    is_flag=True,
    help="Also write to sources on other machines. It OVERWRITES their documents.",
)
@answering
def command(session: Session, path: Path, speed: float | None, elsewhere: bool) -> Answer:
    """Repeat a recorded history in the configured bucket and catalogue keyspace, and announce it.

    Both belong to the upstream systems, so the command refuses unless they are on this machine. The history is read to
    its end before anything is written.
    """
    addresses = find_addresses_elsewhere(session.settings)
    if addresses and not elsewhere:
        raise CommandExit(
            f"the sources are not on this machine: {', '.join(addresses)}; nothing was written. "
            f"{_ALLOWED_ELSEWHERE} overwrites them",
            Ending.USAGE,
        )
    counts = Counter(type(event) for event in read_history(path))
    schedules, items = counts[SchedulePut], counts[CatalogueUpdated]
    removed, deleted = counts[ScheduleRemoved], counts[CatalogueDeleted]
    upstreams = session.pipeline.upstreams
    destination = connect_destination(session.settings, upstreams.schedule_queue, upstreams.catalogue_queue)
    written = count(1)
    with progress() as update:
        import_history(
            read_history(path),
            destination,
            session.now,
            session.sleep,
            speed,
            lambda _: update("importing", next(written), counts.total()),
        )
    text = f"imported {counted(schedules, 'schedule document')} and {counted(items, 'item')}"
    if removed or deleted:
        text += f", removed {counted(removed, 'schedule document')} and {counted(deleted, 'item')}"
    numbers = {"schedules": schedules, "items": items, "schedules_removed": removed, "items_deleted": deleted}
    return Answer(numbers, text)
