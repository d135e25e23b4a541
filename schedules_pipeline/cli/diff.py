"""``schedules-pipeline diff``: what changed from one version of a schedule to another, field by field."""

import click

from schedules_pipeline.cli.arguments import not_found, take_key, take_seqs
from schedules_pipeline.cli.printing import json_option, print_json, print_table, say
from schedules_pipeline.cli.session import Session, pass_session
from schedules_pipeline.cli.versions import difference_fields, difference_rows
from schedules_pipeline.cli.wording import counted
from schedules_pipeline.domain.identifiers import ScheduleKey
from schedules_pipeline.publishing.explain_version import Comparison


@click.command("diff", short_help="Show the differences between two versions of a schedule.")
@click.argument("words", nargs=-1, metavar="SID DATE [SEQ [SEQ]]")
@json_option
@pass_session
def command(session: Session, words: tuple[str, ...], as_json: bool) -> None:
    """Show the differences between two versions of a schedule, field by field.

    Without a version: the latest and the one before it. With one: that and the one before it. With two: the
    first and the second.
    """
    key, rest = take_key(words)
    seqs = take_seqs(rest, most=2)
    if not session.pipeline.store.versions.versions(key):
        raise not_found(key, session.pipeline.store.feed.heads())
    before, after = (None, *seqs) if len(seqs) == 1 else seqs or (None, None)
    comparison = session.pipeline.explainer.compare(key, after, before)
    if as_json:
        print_json({"schedule": str(key), **comparison_fields(comparison)})
    else:
        print_comparison(key, comparison)


def comparison_fields(comparison: Comparison) -> dict[str, object]:
    return {
        "before": comparison.before,
        "after": comparison.after,
        "differences": [difference_fields(difference) for difference in comparison.differences],
    }


def print_comparison(key: ScheduleKey, comparison: Comparison) -> None:
    from_ = f"version {comparison.before}" if comparison.before else "nothing"
    found = counted(len(comparison.differences), "difference")
    say(f"{key}: from {from_} to version {comparison.after}: {found}")
    if comparison.differences:
        print_table(["broadcast", "field", "before", "after"], difference_rows(comparison.differences))
