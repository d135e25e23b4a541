"""``schedules-pipeline history``: the versions of a schedule."""

import click

from schedules_pipeline.cli.answer import Answer, answering
from schedules_pipeline.cli.arguments import not_found, take_only_key
from schedules_pipeline.cli.printing import table
from schedules_pipeline.cli.session import Session
from schedules_pipeline.cli.versions import change_fields
from schedules_pipeline.cli.wording import duration
from schedules_pipeline.domain.changes import Change


@click.command("history")
@click.argument("words", nargs=-1, metavar="SID DATE")
@answering
def command(session: Session, words: tuple[str, ...]) -> Answer:
    """List the published versions of a schedule, newest first, each with its causes."""
    key = take_only_key(words)
    versions = session.pipeline.store.versions.versions(key)
    if not versions:
        raise not_found(key, session.pipeline.store.feed.heads())
    return Answer(
        {"schedule": str(key), "versions": [change_fields(version) for version in versions]},
        [
            table(
                ["version>", "published", "after>", "broadcasts>", "bytes>", "caused by"],
                [_row(session, version) for version in versions],
                title=f"{key}: the published versions, and their time since the first notification",
            )
        ],
    )


def _row(session: Session, version: Change) -> list[object]:
    seconds = version.seconds_from_notification
    return [
        version.seq,
        session.local(version.published_at),
        "" if seconds is None else duration(seconds),
        "removed" if version.is_removal else version.broadcasts,
        f"{version.content_bytes:,}",
        version.why or "unknown",
    ]
