"""``schedules-pipeline holds``: losses of airtime that are held, and deciding on them."""

from collections.abc import Iterator, Sequence

import click

from schedules_pipeline.cli.answer import (
    Answer,
    Shown,
    answering,
    document_table,
    is_for_programs,
    print_shown,
    until_failure,
)
from schedules_pipeline.cli.answer import confirm as ask
from schedules_pipeline.cli.arguments import yes_option
from schedules_pipeline.cli.session import Ending, Session
from schedules_pipeline.cli.wording import counted
from schedules_pipeline.domain.causes import Cause
from schedules_pipeline.publishing.decide_holds import HeldLoss
from schedules_pipeline.publishing.rebuild import BatchResult


@click.group("holds")
def command() -> None:
    """List held losses of airtime, and confirm or reject them.

    A hold keeps what partners have in place of a document that would lose much airtime. A fuller document ends it; a
    hold of one schedule is also confirmed by another put of similar coverage some minutes later.
    """


@command.command("list")
@answering
def list_(session: Session) -> Answer:
    """List the holds, those that wait for a decision first."""
    found = session.pipeline.holds.list()
    document = {"holds": [_summary(each) for each in found]}
    if not found:
        return Answer(document, "nothing is held")
    columns = ("id", "reason", "held_at", "schedules", "hours", "services", "verdict")
    return Answer(document, [document_table(session, document["holds"], *columns)])


@command.command("show")
@click.argument("hold_id", metavar="ID")
@answering
def show(session: Session, hold_id: str) -> Answer:
    """Show what a hold would lose: services, days, airtime."""
    loss = session.pipeline.holds.find(hold_id)
    return Answer(_fields(loss), _shown(session, loss))


@command.command("confirm")
@click.argument("hold_ids", nargs=-1, required=True, metavar="ID...")
@yes_option
@answering
def confirm(session: Session, hold_ids: tuple[str, ...], yes: bool) -> Answer:
    """Publish what is held: partners lose this airtime."""
    losses = _preview(session, hold_ids)
    ask(f"Let partners lose {_hours(losses)} hours of airtime?", yes=yes)
    return _decided(losses, (session.pipeline.holds.confirm(each, _cause(session, each)) for each in losses))


@command.command("reject")
@click.argument("hold_ids", nargs=-1, required=True, metavar="ID...")
@yes_option
@answering
def reject(session: Session, hold_ids: tuple[str, ...], yes: bool) -> Answer:
    """Keep what partners have until the source says something else.

    Also restores what the same event took from partners before the loss budget ran out.
    """
    losses = _preview(session, hold_ids)
    restored = sum(len(each.let_through) for each in losses)
    ask(f"Keep what partners have, and restore {counted(restored, 'schedule')}?", yes=yes)
    return _decided(losses, (session.pipeline.holds.reject(each, _cause(session, each)) for each in losses))


def _preview(session: Session, hold_ids: Sequence[str]) -> list[HeldLoss]:
    losses = [session.pipeline.holds.find(hold_id) for hold_id in dict.fromkeys(hold_ids)]
    if not is_for_programs():
        for loss in losses:
            print_shown(_shown(session, loss))
    return losses


def _cause(session: Session, loss: HeldLoss) -> Cause:
    return session.cause(f"hold {loss.id}")


def _decided(losses: Sequence[HeldLoss], decisions: Iterator[BatchResult]) -> Answer:
    batches, failure = until_failure(decisions)
    decided = [loss.id for loss in losses][: len(batches)]
    failed = sorted(str(key) for batch in batches for key in batch.failed)
    rebuilt = sum(len(batch.built) for batch in batches)
    document = {"decided": decided, "rebuilt": rebuilt, "failed": failed}
    what = f"decided {', '.join(decided) or 'nothing'}" if failure else "decided"
    shown = f"{what}; {counted(rebuilt, 'schedule')} rebuilt"
    if failed and not failure:
        problem = f"{counted(len(failed), 'schedule')} could not be built; publishers retry them"
        return Answer(document, shown, Ending.NO_ANSWER, problem)
    return Answer(document, shown, failure=failure)


def _shown(session: Session, loss: HeldLoss) -> Iterator[Shown]:
    yield f"{loss.id}: {loss.reason}, since {session.local(loss.held_at)}; would lose {_hours([loss])} hours"
    fields = _fields(loss)
    yield document_table(session, fields["schedules"], "schedule", "kind", "lost_hours", "covered_hours")
    if loss.let_through:
        yield "lost before the budget ran out; rejecting restores it:"
        yield document_table(session, fields["let_through"], "schedule", "kind", "lost_hours")


def _summary(loss: HeldLoss) -> dict[str, object]:
    return {
        "id": loss.id,
        "reason": loss.reason.value,
        "held_at": loss.held_at,
        "schedules": len(loss.held),
        "hours": _hours([loss]),
        "services": ", ".join(loss.seconds_by_service),
        "verdict": loss.verdict.value if loss.verdict else "waits",
    }


def _fields(loss: HeldLoss) -> dict[str, list[dict[str, object]]]:
    return {
        "schedules": [
            {
                "schedule": str(key),
                "kind": hold.kind.value,
                "lost_hours": _as_hours(hold.lost_seconds),
                "covered_hours": _as_hours(hold.covered_seconds),
            }
            for key, hold in sorted(loss.held.items())
        ],
        "let_through": [
            {"schedule": str(key), "kind": lost.kind.value, "lost_hours": _as_hours(lost.seconds)}
            for key, lost in sorted(loss.let_through.items())
        ],
    }


def _hours(losses: Sequence[HeldLoss]) -> float:
    return _as_hours(sum(loss.seconds for loss in losses))


def _as_hours(seconds: int) -> float:
    return round(seconds / 3600, 1)
