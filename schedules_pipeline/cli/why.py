"""``schedules-pipeline why``: from a version to the notifications that caused it."""

from collections.abc import Iterator

import click

from schedules_pipeline.cli.answer import Answer, Shown, answering, document_table
from schedules_pipeline.cli.arguments import not_found, take_key, take_seqs
from schedules_pipeline.cli.printing import table
from schedules_pipeline.cli.session import Session
from schedules_pipeline.cli.versions import cause_fields, change_fields, comparison_fields, comparison_shown
from schedules_pipeline.cli.wording import counted, duration
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.publishing.explain_version import Explanation


@click.command("why")
@click.argument("words", nargs=-1, metavar="SID DATE [SEQ]")
@answering
def command(session: Session, words: tuple[str, ...]) -> Answer:
    """Show which notifications and changed fields caused a version, how it differs from the one before, and which
    other schedules the same notifications touched.
    """
    key, rest = take_key(words)
    seqs = take_seqs(rest, most=1)
    if not session.pipeline.store.versions.versions(key):
        raise not_found(key, session.pipeline.store.feed.heads())
    explanation = session.pipeline.explainer.explain(key, seqs[0] if seqs else None)
    return Answer(_fields(session, explanation), _shown(session, explanation))


def _fields(session: Session, explanation: Explanation) -> dict[str, object]:
    change, comparison = explanation.change, explanation.comparison
    return {
        **change_fields(change),
        "causes": [{**cause_fields(cause), "queue": _queue(session, cause)} for cause in change.causes],
        "comparison": None if comparison is None else comparison_fields(comparison),
        "touched": [change_fields(other) for other in explanation.touched.versions],
        "search_stopped_at": explanation.touched.stopped_at,
        "feed_goes_back": explanation.touched.goes_back,
    }


def _shown(session: Session, explanation: Explanation) -> Iterator[Shown]:
    change = explanation.change
    seconds = change.seconds_from_notification
    after = "" if seconds is None else f", {duration(seconds)} after its first notification"
    what = "removed" if change.is_removal else "published"
    yield f"{change.key} version {change.seq}: {what} {session.local(change.published_at)}{after}"
    yield table(
        ["what changed", "fields", "said by", "at", "event"],
        [
            [
                f"{cause.origin} {cause.subject}",
                ", ".join(cause.changed) or _without_fields(cause),
                _queue(session, cause) or "an operator",
                session.local(cause.notified_at),
                cause.event_id,
            ]
            for cause in change.causes
        ],
    )
    if change.cause_count > len(change.causes):
        yield f"and {change.cause_count - len(change.causes)} more causes, of which only the number is kept"
    if explanation.comparison is None:
        yield "the differences from the version before are unknown: a document has expired"
    else:
        yield from comparison_shown(change.key, explanation.comparison)
    yield from _touched_shown(session, explanation)


def _touched_shown(session: Session, explanation: Explanation) -> Iterator[Shown]:
    touched = explanation.touched
    if not touched.goes_back:
        yield "other touched schedules are unknown: the change feed no longer goes back that far"
        return
    events = "event" if explanation.change.cause_count == 1 else "events"
    what = counted(len(touched.versions), "other version") if touched.versions else "nothing else"
    yield f"the same {events} touched {what}"
    if touched.versions:
        rows = [change_fields(other) for other in touched.versions]
        yield document_table(session, rows, "schedule", "seq", "published_at")
    if touched.stopped_at is not None:
        yield f"the search stopped at {session.local(touched.stopped_at)}: the feed holds too many rows"


def _queue(session: Session, cause: Cause) -> str | None:
    """The queue that brought the cause; None if no queue did."""
    queues = {
        Origin.SCHEDULE: session.settings.schedule_queue,
        Origin.CATALOGUE: session.settings.catalogue_queue,
    }
    return queues.get(cause.origin)


def _without_fields(cause: Cause) -> str:
    return "(its document)" if cause.origin is Origin.SCHEDULE else "(not known)"
