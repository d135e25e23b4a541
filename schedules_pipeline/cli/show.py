"""``schedules-pipeline show``: one schedule as partners see it."""

import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import click
import orjson

from schedules_pipeline.cli.answer import Answer, Shown, answering, is_for_programs, table
from schedules_pipeline.cli.arguments import not_found, take_only_key
from schedules_pipeline.cli.session import CommandExit, Session
from schedules_pipeline.cli.wording import clock, counted
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.identifiers import ScheduleKey

_FLAGS = {
    "is_repeat": "repeat",
    "is_blanked": "blanked",
    "is_signed": "signed",
    "is_audio_described": "described",
}


@click.command("show")
@click.argument("words", nargs=-1, metavar="SID DATE")
@click.option("--at", "seq", type=click.IntRange(min=1), metavar="SEQ", help="An older version.")
@answering
def command(session: Session, words: tuple[str, ...], seq: int | None) -> Answer | None:
    """Show a schedule as partners see it, in local time.

    Name it as SID DATE or as SID/DATE. --json prints the document byte for byte, except on a terminal.
    """
    key = take_only_key(words)
    document = _document(session.pipeline, key, seq)
    if is_for_programs() and not sys.stdout.isatty():
        click.echo(document)
        return None
    schedule = orjson.loads(document)
    return Answer(schedule, _shown(session, key, schedule))


def _document(pipeline: Pipeline, key: ScheduleKey, seq: int | None) -> bytes:
    if seq is not None:
        return _version(pipeline, key, seq)
    document = pipeline.store.schedules.documents([key]).get(key)
    if document is not None:
        return document
    heads = pipeline.store.feed.heads()
    if key not in heads:
        raise not_found(key, heads)
    head = heads[key]
    raise CommandExit(
        f"{key} was removed at {head.published_at:%FT%TZ}; the last version with a document was {head.seq - 1}"
    )


def _version(pipeline: Pipeline, key: ScheduleKey, seq: int) -> bytes:
    document = pipeline.store.versions.document(key, seq)
    if document is not None:
        return document
    versions = pipeline.store.versions.versions(key)
    if not versions:
        raise not_found(key, pipeline.store.feed.heads())
    if any(version.seq == seq and version.is_removal for version in versions):
        raise CommandExit(f"{key}: version {seq} is a removal, which has no document")
    raise CommandExit(
        f"{key}: no document of version {seq} is kept; `schedules-pipeline history {key}` lists the versions"
    )


def _shown(session: Session, key: ScheduleKey, schedule: dict[str, Any]) -> Iterator[Shown]:
    zone, broadcasts = session.pipeline.calendar.zone, schedule["broadcasts"]
    published = session.local(datetime.fromisoformat(schedule["published_at"]))
    yield (
        f"{key}  version {schedule['seq']}, published {published}, "
        f"{counted(len(broadcasts), 'broadcast')}, times of {zone.key}"
    )
    yield table(
        ["start", "end", "title", "subtitle", "flags", "broadcast", "episode"],
        [_row(broadcast, key, zone) for broadcast in broadcasts],
    )


def _row(broadcast: dict[str, Any], key: ScheduleKey, zone: ZoneInfo) -> list[str]:
    start, end = (datetime.fromisoformat(broadcast[name]) for name in ("start", "end"))
    later = "" if start.astimezone(zone).date() == key.date else f" {start.astimezone(zone):%d %b}"
    return [
        f"{start.astimezone(zone):%H:%M %Z}{later}",
        clock(end, zone),
        broadcast["title"] or ("" if broadcast["is_blanked"] else "(unknown)"),
        broadcast["subtitle"],
        ", ".join(word for name, word in _FLAGS.items() if broadcast[name]),
        broadcast["broadcast_pid"],
        broadcast["episode_pid"],
    ]
