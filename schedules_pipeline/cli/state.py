"""``schedules-pipeline state export`` and ``import``: the state that no source has, in a file or a bucket."""

from collections.abc import Iterator
from pathlib import Path

import click

from schedules_pipeline.cli.answer import Answer, Shown, answering, members, table
from schedules_pipeline.cli.arguments import INPUT_FILE, output_options, reading, require_new, writing
from schedules_pipeline.cli.session import CommandExit, Ending, Session
from schedules_pipeline.cli.wording import ago, counted
from schedules_pipeline.outbound.whole_file import PRIVATE, whole_file
from schedules_pipeline.state.document import InvalidState, StateDocument, parse_state, render_state
from schedules_pipeline.state.export import count_parts
from schedules_pipeline.state.plan import Plan, Summary, summarise
from schedules_pipeline.state.restore import StateRestorer

_BUCKET = "s3://"
_NAMED = 5
_ONE_OF = {"partners": "partner", "subscriptions": "subscription", "schedules": "schedule", "copies": "copy"}


@click.group("state")
def command() -> None:
    """Export and import the state that no source has: partners, keys, subscriptions, the switch, holds, and more.

    An export holds digests of keys and no keys, and no secret of a webhook.
    """


@command.command("export")
@output_options("FILE")
@answering
def export(session: Session, path: Path, overwrite: bool) -> Answer:
    """Write the state to a file that only its owner may read."""
    from schedules_pipeline.connections import state_exporter  # noqa: PLC0415 - boto3 and redis cost 0.5 s

    require_new(path, overwrite=overwrite)
    unreadable = session.pipeline.store.partners.unreadable()
    state = state_exporter(session.settings, session.pipeline).gather()
    with writing(path), whole_file(path, PRIVATE) as file:
        file.write(render_state(state))
    counts = count_parts(state)
    written = ", ".join(counted(count, _ONE_OF[name], name) for name, count in counts.items())
    problem = (
        f"left out, since their records cannot be decoded: {', '.join(unreadable)}" if unreadable else ""
    )
    return Answer({"path": str(path), **counts}, f"wrote {written} to {path}", problem=problem)


@command.command("import")
@click.argument("source", metavar="FILE|s3://BUCKET/NAME")
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--keep", "differing", flag_value="keep", help="Where the keyspace differs, keep what it has.")
@click.option(
    "--replace", "differing", flag_value="replace", help="Where it differs, take what the export has."
)
@answering
def import_(session: Session, source: str, dry_run: bool, differing: str | None) -> Answer:
    """Restore an export: add what the keyspace lacks.

    A name in a bucket that ends with a slash means the latest export below it. If the keyspace has another version of
    something that operators decide, nothing is written unless --keep or --replace says which side wins.
    """
    state = _read(session, source)
    pipeline = session.pipeline
    restorer = StateRestorer(pipeline.store, pipeline.follower, pipeline.publisher, pipeline.clock)
    plan = restorer.plan(state)
    problem = _objection(plan) if differing is None else ""
    is_written = not dry_run and not problem
    if is_written:
        plan = restorer.restore(state, session.cause("state import"), replaces=differing == "replace")
    needs_coldstart = pipeline.store.coldstarts.epoch() is None
    document = {**members(state, "exported_at", "keyspace"), "written": is_written}
    document |= {"needs_coldstart": needs_coldstart, "parts": _parts(plan)}
    lines = _shown(session, state, plan, is_written=is_written, needs_coldstart=needs_coldstart)
    return Answer(document, lines, Ending.WRONG if problem else Ending.WELL, problem)


def _read(session: Session, source: str) -> StateDocument:
    if source.startswith(_BUCKET):
        return parse_state(_fetch(session, source))
    path = INPUT_FILE.convert(source, None, click.get_current_context())
    with reading(path):
        content = path.read_bytes()
    try:
        return parse_state(content)
    except InvalidState as error:
        raise CommandExit(f"{path}: {error}") from error


def _fetch(session: Session, address: str) -> bytes:
    from schedules_pipeline.connections import state_exports  # noqa: PLC0415 - boto3 costs 0.3 s

    bucket, _, name = address.removeprefix(_BUCKET).partition("/")
    if not bucket:
        raise click.UsageError(f"{address!r} names no bucket: s3://BUCKET/NAME, or s3://BUCKET/PREFIX/")
    exports = state_exports(session.settings, bucket, name)
    latest = exports.latest() if not name or name.endswith("/") else name
    content = None if latest is None else exports.files.read(latest)
    if content is None:
        raise CommandExit(f"there is no export {address}")
    return content


def _parts(plan: Plan) -> dict[str, dict[str, object]]:
    return {
        each.part.value: {"new": each.new, "same": len(each.same), "differing": each.differing}
        for each in summarise(plan)
    }


def _objection(plan: Plan) -> str:
    differing = [f"{name} ({each.part})" for each in summarise(plan) for name in each.differing]
    if not differing:
        return ""
    named = ", ".join(differing[:_NAMED]) + (
        f" and {len(differing) - _NAMED} more" if differing[_NAMED:] else ""
    )
    return (
        f"the keyspace has another version of {named}: nothing was written; decide with --keep or --replace"
    )


def _shown(
    session: Session, state: StateDocument, plan: Plan, *, is_written: bool, needs_coldstart: bool
) -> Iterator[Shown]:
    yield f"exported {ago(state.exported_at, session.now())} from the keyspace {state.keyspace}"
    yield table(("part", "new", "same", "differing", ""), map(_row, summarise(plan)))
    if is_written and needs_coldstart:
        yield "restored; now rebuild the schedules: `schedules-pipeline coldstart`"
    elif is_written:
        yield "restored"
    yield "keys that were revoked since the export are valid again: compare `schedules-pipeline partners list`"


def _row(each: Summary) -> tuple[object, ...]:
    names = ", ".join(each.differing[:_NAMED])
    return (each.part.value, len(each.new), len(each.same), len(each.differing), names)
