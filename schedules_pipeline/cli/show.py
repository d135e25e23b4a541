"""``schedules-pipeline show``: one schedule, as its partners see it."""

import sys
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import click
import orjson

from schedules_pipeline.cli.arguments import not_found, take_only_key
from schedules_pipeline.cli.endings import CommandExit
from schedules_pipeline.cli.printing import json_option, print_json, print_table, say
from schedules_pipeline.cli.session import Session, pass_session
from schedules_pipeline.cli.wording import clock, counted, local
from schedules_pipeline.composition import Pipeline
from schedules_pipeline.domain.identifiers import ScheduleKey

_FLAGS = {
    "is_repeat": "repeat",
    "is_blanked": "blanked",
    "is_signed": "signed",
    "is_audio_described": "described",
}


@click.command("show", short_help="Show a schedule as partners see it.")
@click.argument("words", nargs=-1, metavar="SID DATE")
@click.option("--at", "seq", type=click.IntRange(min=1), metavar="SEQ", help="An older version.")
@json_option
@pass_session
def command(session: Session, words: tuple[str, ...], seq: int | None, as_json: bool) -> None:
    """Show a schedule as partners see it, in local time.

    Name it as SID DATE or as SID/DATE. With --json: the document itself, byte for byte, unless it goes to a
    terminal.
    """
    key = take_only_key(words)
    document = _document(session.pipeline, key, seq)
    if as_json:
        _print_raw(document)
    else:
        _print_schedule(key, orjson.loads(document), session.pipeline.calendar.zone)


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
        f"{key} was removed at {head.published_at:%FT%TZ}; version {head.seq - 1} was the last to be seen"
    )


def _version(pipeline: Pipeline, key: ScheduleKey, seq: int) -> bytes:
    document = pipeline.store.versions.document(key, seq)
    if document is not None:
        return document
    versions = pipeline.store.versions.versions(key)
    if not versions:
        raise not_found(key, pipeline.store.feed.heads())
    version = next((version for version in versions if version.seq == seq), None)
    if version is not None and version.is_removal:
        raise CommandExit(f"{key}: version {seq} is a removal; nothing was shown")
    raise CommandExit(
        f"{key}: no document of version {seq} is kept; `schedules-pipeline history {key}` lists what there was"
    )


def _print_raw(document: bytes) -> None:
    if sys.stdout.isatty():
        print_json(orjson.loads(document))
    else:
        click.echo(document)


def _print_schedule(key: ScheduleKey, schedule: dict[str, Any], zone: ZoneInfo) -> None:
    broadcasts = schedule["broadcasts"]
    published_at = datetime.fromisoformat(schedule["published_at"])
    say(
        f"{key}  version {schedule['seq']}, published {local(published_at, zone)}, "
        f"{counted(len(broadcasts), 'broadcast')}, times of {zone.key}"
    )
    print_table(
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
