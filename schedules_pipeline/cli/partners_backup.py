"""``schedules-pipeline partners export`` and ``import``: partners in a file. The rest of the keyspace can be rebuilt
from its sources; operators' decisions about partners cannot.
"""

from pathlib import Path

import click

from schedules_pipeline.cli.answer import Answer, answering
from schedules_pipeline.cli.arguments import EXISTING_FILE, output_options, require_new, writing
from schedules_pipeline.cli.session import CommandExit, Session
from schedules_pipeline.cli.wording import counted
from schedules_pipeline.errors import InvalidRecord
from schedules_pipeline.partners.partner import Partner
from schedules_pipeline.partners.record import PARTNER

_OWNER_ONLY = 0o600


@click.command("export")
@output_options("FILE")
@answering
def export(session: Session, path: Path, overwrite: bool) -> Answer:
    """Write all partners to a file, one on each line. It contains digests of keys, and no keys."""
    require_new(path, overwrite=overwrite)
    store = session.pipeline.store.partners
    partners, unreadable = store.all(), store.unreadable()
    with writing(path):
        path.touch(_OWNER_ONLY)
        path.chmod(_OWNER_ONLY)
        path.write_bytes(b"".join(PARTNER.render(partner) + b"\n" for partner in partners))
    return Answer(
        {"path": str(path), "partners": [partner.name for partner in partners]},
        f"wrote {counted(len(partners), 'partner')} to {path}",
        problem=f"left out, since their records cannot be decoded: {', '.join(unreadable)}"
        if unreadable
        else "",
    )


@click.command("import")
@click.argument("path", type=EXISTING_FILE, metavar="FILE")
@answering
def import_(session: Session, path: Path) -> Answer:
    """Create the partners of an exported file, with their keys. Existing partners stay unchanged."""
    store = session.pipeline.store.partners
    entered: list[str] = []
    kept: list[str] = []
    known = {partner.name for partner in store.all()}
    for partner in _read(path):
        # ``create`` is True for an equal partner, which exists all the same.
        is_new = partner.name not in known and store.create(partner)
        (entered if is_new else kept).append(partner.name)
    return Answer(
        {"entered": entered, "kept": kept},
        f"created {counted(len(entered), 'partner')}; {counted(len(kept), 'partner')} existed already",
    )


def _read(path: Path) -> list[Partner]:
    """The whole file, before any partner is created."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise CommandExit(f"{path} cannot be read: {error.strerror}") from error
    return [_parse(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _parse(path: Path, number: int, line: bytes) -> Partner:
    try:
        return PARTNER.parse(line)
    except InvalidRecord as error:
        raise CommandExit(f"{path}, line {number}: {error}; nothing was created") from error
