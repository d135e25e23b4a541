"""``schedules-pipeline why``: from a version back to the notifications that caused it."""

from datetime import tzinfo

import click

from schedules_pipeline.cli.arguments import not_found, take_key, take_seqs
from schedules_pipeline.cli.diff import comparison_fields, print_comparison
from schedules_pipeline.cli.printing import json_option, print_json, print_table, say
from schedules_pipeline.cli.session import Session, pass_session
from schedules_pipeline.cli.versions import cause_fields, change_fields
from schedules_pipeline.cli.wording import counted, duration, local
from schedules_pipeline.domain.causes import Cause, Origin
from schedules_pipeline.publishing.explain_version import Explanation
from schedules_pipeline.settings import Settings


@click.command("why", short_help="Say what caused a version, and what else the same change touched.")
@click.argument("words", nargs=-1, metavar="SID DATE [SEQ]")
@json_option
@pass_session
def command(session: Session, words: tuple[str, ...], as_json: bool) -> None:
    """Say which notifications and which changed fields caused a version, how it differs from the one before,
    and which other schedules the same notifications touched.
    """
    key, rest = take_key(words)
    seqs = take_seqs(rest, most=1)
    if not session.pipeline.store.versions.versions(key):
        raise not_found(key, session.pipeline.store.feed.heads())
    explanation = session.pipeline.explainer.explain(key, seqs[0] if seqs else None)
    if as_json:
        print_json(_as_fields(explanation, session.settings))
    else:
        _print(explanation, session)


def _as_fields(explanation: Explanation, settings: Settings) -> dict[str, object]:
    change, comparison = explanation.change, explanation.comparison
    causes = [{**cause_fields(cause), "queue": _queue(cause, settings)} for cause in change.causes]
    return {
        **change_fields(change),
        "causes": causes,
        "comparison": None if comparison is None else comparison_fields(comparison),
        "touched": [change_fields(other) for other in explanation.touched.versions],
        "search_stopped_at": explanation.touched.stopped_at,
        "feed_goes_back": explanation.touched.goes_back,
    }


def _print(explanation: Explanation, session: Session) -> None:
    change, zone = explanation.change, session.pipeline.calendar.zone
    seconds = change.seconds_from_notification
    after = "" if seconds is None else f", {duration(seconds)} after its first notification"
    what = "removed" if change.is_removal else "published"
    say(f"{change.key} version {change.seq}: {what} {local(change.published_at, zone)}{after}")
    print_table(
        ["what changed", "fields", "said by", "at", "event"],
        [
            [
                f"{cause.origin} {cause.subject}",
                ", ".join(cause.changed) or _of_no_fields(cause),
                _queue(cause, session.settings) or "an operator",
                local(cause.notified_at, zone),
                cause.event_id,
            ]
            for cause in change.causes
        ],
    )
    if change.cause_count > len(change.causes):
        say(f"and {change.cause_count - len(change.causes)} more, of which nothing is kept but their number")
    if explanation.comparison is None:
        say("how it differs from the version before is not known: a document is no longer kept")
    else:
        print_comparison(change.key, explanation.comparison)
    _print_touched(explanation, zone)


def _print_touched(explanation: Explanation, zone: tzinfo) -> None:
    touched = explanation.touched
    if not touched.goes_back:
        say("what else was touched is not known: the change feed does not go back so far any more")
        return
    events = "event" if explanation.change.cause_count == 1 else "events"
    what = counted(len(touched.versions), "other version") if touched.versions else "nothing else"
    say(f"the same {events} touched {what}")
    if touched.versions:
        print_table(
            ["schedule", "version>", "published"],
            [[other.key, other.seq, local(other.published_at, zone)] for other in touched.versions],
        )
    if touched.stopped_at is not None:
        say(f"the search stopped at {local(touched.stopped_at, zone)}: there was too much to look through")


def _queue(cause: Cause, settings: Settings) -> str | None:
    """Which queue brought it; None for what no queue brings."""
    queues = {Origin.SCHEDULE: settings.schedule_queue, Origin.CATALOGUE: settings.catalogue_queue}
    return queues.get(cause.origin)


def _of_no_fields(cause: Cause) -> str:
    return "(its document)" if cause.origin is Origin.SCHEDULE else "(not known)"
