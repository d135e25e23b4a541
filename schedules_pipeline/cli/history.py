"""``schedules-pipeline history``: the versions of a schedule."""

import click

from schedules_pipeline.cli.arguments import not_found, take_only_key
from schedules_pipeline.cli.printing import json_option, print_json, print_table
from schedules_pipeline.cli.session import Session, pass_session
from schedules_pipeline.cli.versions import change_fields
from schedules_pipeline.cli.wording import duration, local
from schedules_pipeline.domain.changes import Change


@click.command("history", short_help="List the published versions of a schedule, newest first.")
@click.argument("words", nargs=-1, metavar="SID DATE")
@json_option
@pass_session
def command(session: Session, words: tuple[str, ...], as_json: bool) -> None:
    """List the published versions of a schedule, newest first, with what caused each."""
    key = take_only_key(words)
    versions = session.pipeline.store.versions.versions(key)
    if not versions:
        raise not_found(key, session.pipeline.store.feed.heads())
    if as_json:
        print_json({"schedule": str(key), "versions": [change_fields(version) for version in versions]})
        return
    zone = session.pipeline.calendar.zone
    print_table(
        ["version>", "published", "after>", "broadcasts>", "bytes>", "caused by"],
        [
            [
                version.seq,
                local(version.published_at, zone),
                _after(version),
                "removed" if version.is_removal else version.broadcasts,
                f"{version.content_bytes:,}",
                version.why or "unknown",
            ]
            for version in versions
        ],
        title=f"{key}: what was published, and how long after its first notification",
    )


def _after(version: Change) -> str:
    seconds = version.seconds_from_notification
    return "" if seconds is None else duration(seconds)
