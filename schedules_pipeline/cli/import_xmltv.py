"""``schedules-pipeline import-xmltv``: an XMLTV guide, converted into a recorded history."""

from pathlib import Path
from zoneinfo import ZoneInfo

import click

from schedules_pipeline.cli.answer import Answer, answering, is_for_programs, remark
from schedules_pipeline.cli.arguments import (
    EXISTING_FILE,
    NEW_FILE,
    ZONE,
    overwrite_option,
    require_new,
    writing,
)
from schedules_pipeline.cli.session import Session
from schedules_pipeline.cli.wording import counted
from schedules_pipeline.history.guides import describe, guide_history, import_rules, read_guide
from schedules_pipeline.history.recorded import write_history


@click.command("import-xmltv")
@click.argument("path", type=EXISTING_FILE, metavar="GUIDE.xml")
@click.argument("output", type=NEW_FILE, metavar="OUT.jsonl.gz")
@click.option(
    "--zone", type=ZONE, default="UTC", show_default=True, help="The zone of times without an offset."
)
@click.option("--language", default="", metavar="CODE", help="Which of several texts to use: en, de, ….")
@overwrite_option
@answering
def command(
    session: Session, path: Path, output: Path, zone: ZoneInfo, language: str, overwrite: bool
) -> Answer:
    """Convert an XMLTV guide, gzipped or not, into a recorded history for `import` or for the demonstration.

    No service is used. Broadcast days are cut by SCHEDULES_TIME_ZONE and SCHEDULES_RADIO_SERVICES.
    """
    require_new(output, overwrite=overwrite)
    now = session.now()
    guide = read_guide(path, import_rules(session.settings, zone, language.lower()), now)
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
