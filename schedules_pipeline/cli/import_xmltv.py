"""``schedules-pipeline import-xmltv``: a guide of anyone's, made into a recorded history."""

from pathlib import Path
from zoneinfo import ZoneInfo

import click

from schedules_pipeline.cli.arguments import require_new
from schedules_pipeline.cli.endings import CommandExit
from schedules_pipeline.cli.printing import json_option, print_json, remark, say
from schedules_pipeline.cli.session import Session, pass_session
from schedules_pipeline.cli.wording import counted
from schedules_pipeline.history.guides import describe, guide_history, import_rules, read_guide
from schedules_pipeline.history.recorded import write_history


class _Zone(click.ParamType[ZoneInfo]):
    name = "zone"

    def convert(
        self, value: str | ZoneInfo, param: click.Parameter | None, ctx: click.Context | None
    ) -> ZoneInfo:
        try:
            return value if isinstance(value, ZoneInfo) else ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            self.fail(
                f"no such time zone: {str(value)[:60]!r} (expected a name such as Europe/London)", param, ctx
            )


@click.command("import-xmltv", short_help="Make an XMLTV guide into a recorded history.")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="GUIDE.xml")
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path), metavar="OUT.jsonl.gz")
@click.option(
    "--zone",
    type=_Zone(),
    default="UTC",
    show_default=True,
    help="Of times that do not say theirs.",
)
@click.option("--language", default="", metavar="CODE", help="Of texts that are given in several: en, de, ….")
@click.option("--overwrite", is_flag=True, help="Also where OUT.jsonl.gz is there already.")
@json_option
@pass_session
def command(
    session: Session, path: Path, output: Path, zone: ZoneInfo, language: str, overwrite: bool, as_json: bool
) -> None:
    """Make an XMLTV guide, gzipped or not, into a recorded history: to be imported, or shown by the demonstration.

    Nothing is connected to. Broadcast days are cut by SCHEDULES_TIME_ZONE and SCHEDULES_RADIO_SERVICES.
    """
    require_new(output, overwrite=overwrite)
    now = session.now()
    guide = read_guide(path, import_rules(session.settings, zone, language.lower()), now)
    try:
        write_history(output, guide_history(guide, now))
    except OSError as error:
        raise CommandExit(f"{output} cannot be written: {error.strerror}") from error
    if as_json:
        counts = {
            "services": len(guide.names),
            "schedules": len(guide.schedules),
            "items": len(guide.catalogue),
        }
        print_json(
            {"path": str(output), **counts, "names": guide.names}
            | {"remarks": {remark.name.lower(): number for remark, number in guide.remarks.items()}}
        )
        return
    for line in describe(guide)[1:]:
        remark(line)
    say(
        f"wrote {counted(len(guide.schedules), 'schedule')} of {counted(len(guide.names), 'service')} and "
        f"{counted(len(guide.catalogue), 'item')} to {output}"
    )
