"""``schedules-pipeline export``, ``import`` and ``import-xmltv``: recorded histories, for tests and fault reports."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from schedules_pipeline.cli.answer import Answer, answering, is_for_programs, progress, remark
from schedules_pipeline.cli.arguments import (
    INPUT_FILE,
    NEW_FILE,
    ZONE,
    not_found,
    output_options,
    overwrite_option,
    reading,
    require_new,
    take_only_key,
    writing,
)
from schedules_pipeline.cli.session import CommandExit, Ending, Session
from schedules_pipeline.cli.wording import counted
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.history.exporting import export_history
from schedules_pipeline.history.guides import describe, guide_history, import_rules, read_guide
from schedules_pipeline.history.importing import connect_destination, find_addresses_elsewhere, import_history
from schedules_pipeline.history.recorded import (
    CatalogueDeleted,
    CatalogueUpdated,
    HistoryEvent,
    SchedulePut,
    ScheduleRemoved,
    read_history,
    write_history,
)


@click.command("export")
@click.argument("words", nargs=-1, metavar="SID DATE")
@click.option(
    "--days", type=click.IntRange(1, 400), default=1, show_default=True, help="This many days from DATE on."
)
@output_options("FILE.jsonl.gz")
@answering
def export(session: Session, words: tuple[str, ...], days: int, path: Path, overwrite: bool) -> Answer:
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


_ALLOWED_ELSEWHERE = "--into-sources-elsewhere"


@click.command("import")
@click.argument("path", type=INPUT_FILE, metavar="HISTORY.jsonl.gz")
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
def import_(session: Session, path: Path, speed: float | None, elsewhere: bool) -> Answer:
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
    counts = Counter(type(event) for event in _events(path))
    schedules, items = counts[SchedulePut], counts[CatalogueUpdated]
    removed, deleted = counts[ScheduleRemoved], counts[CatalogueDeleted]
    upstreams = session.pipeline.upstreams
    destination = connect_destination(session.settings, upstreams.schedule_queue, upstreams.catalogue_queue)
    written = count(1)
    with progress(session) as update:
        import_history(
            _events(path),
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


def _events(path: Path) -> Iterator[HistoryEvent]:
    with reading(path):
        yield from read_history(path)


@click.command("import-xmltv")
@click.argument("path", type=INPUT_FILE, metavar="GUIDE.xml")
@click.argument("output", type=NEW_FILE, metavar="OUT.jsonl.gz")
@click.option(
    "--zone", type=ZONE, default="UTC", show_default=True, help="The zone of times without an offset."
)
@click.option("--language", default="", metavar="CODE", help="Which of several texts to use: en, de, ….")
@click.option(
    "--repair", "repairs", is_flag=True, help="Mend wrong bytes, bare ampersands and unknown entities."
)
@overwrite_option
@answering
def import_guide(
    session: Session, path: Path, output: Path, zone: ZoneInfo, language: str, repairs: bool, overwrite: bool
) -> Answer:
    """Convert an XMLTV guide, gzipped or not, into a recorded history for `import` or for the demonstration.

    No service is used. Broadcast days are cut by SCHEDULES_TIME_ZONE and SCHEDULES_RADIO_SERVICES.
    """
    require_new(output, overwrite=overwrite)
    now = session.now()
    with reading(path):
        guide = read_guide(path, import_rules(session.settings, zone, language.lower(), repairs=repairs), now)
    with writing(output):
        write_history(output, guide_history(guide, now))
    counts = {
        "services": len(guide.names),
        "schedules": len(guide.schedules),
        "items": len(guide.catalogue),
    }
    if not is_for_programs():
        for text in describe(guide)[1:]:
            remark(text)
    remarks = {found.name.lower(): number for found, number in guide.remarks.items()}
    return Answer(
        {"path": str(output), **counts, "names": guide.names, "remarks": remarks},
        f"wrote {counted(counts['schedules'], 'schedule')} of {counted(counts['services'], 'service')} and "
        f"{counted(counts['items'], 'item')} to {output}",
    )
