"""``schedules-pipeline partners export`` and ``import``: partners in a file. Everything else in our keyspace is
rebuilt from its sources; what operators decided of partners is not.
"""

from pathlib import Path

import click

from schedules_pipeline.cli.arguments import require_new
from schedules_pipeline.cli.endings import CommandExit
from schedules_pipeline.cli.printing import json_option, print_json, say
from schedules_pipeline.cli.session import Session, pass_session
from schedules_pipeline.cli.wording import counted
from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.partners.record import parse_partner, render_partner

_FOR_THE_OWNER = 0o600


@click.command("export")
@click.option(
    "-o",
    "--output",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="Where to write it.",
)
@click.option("--overwrite", is_flag=True, help="Also where that file is there already.")
@json_option
@pass_session
def export(session: Session, path: Path, overwrite: bool, as_json: bool) -> None:
    """Write all partners to a file, a line each. It holds digests of keys, and no keys."""
    require_new(path, overwrite=overwrite)
    book = session.pipeline.store.partners
    partners, unreadable = book.all(), book.unreadable()
    try:
        path.touch(_FOR_THE_OWNER)
        path.chmod(_FOR_THE_OWNER)
        path.write_bytes(b"".join(render_partner(partner) + b"\n" for partner in partners))
    except OSError as error:
        raise CommandExit(f"{path} cannot be written: {error.strerror}") from error
    if as_json:
        print_json({"path": str(path), "partners": [partner.name for partner in partners]})
    else:
        say(f"wrote {counted(len(partners), 'partner')} to {path}")
    if unreadable:
        raise CommandExit(f"left out, since their records do not read back: {', '.join(unreadable)}")


@click.command("import")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE")
@json_option
@pass_session
def import_(session: Session, path: Path, as_json: bool) -> None:
    """Enter the partners of such a file, with the keys that they had. Those that are there stay as they are."""
    book = session.pipeline.store.partners
    entered: list[str] = []
    kept: list[str] = []
    known = {partner.name for partner in book.all()}
    for partner in _read(path):
        # An equal one would be created again as if the answer had been lost; it is there all the same.
        is_new = partner.name not in known and book.create(partner)
        (entered if is_new else kept).append(partner.name)
    if as_json:
        print_json({"entered": entered, "kept": kept})
    else:
        say(f"entered {counted(len(entered), 'partner')}; {counted(len(kept), 'name')} taken already")


def _read(path: Path) -> list[Partner]:
    """To its end, before anything is entered."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise CommandExit(f"{path} cannot be read: {error.strerror}") from error
    return [_parse(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _parse(path: Path, number: int, line: bytes) -> Partner:
    try:
        return parse_partner(line)
    except InvalidRecord as error:
        raise CommandExit(f"{path}, line {number}: {error}; nothing was entered") from error
