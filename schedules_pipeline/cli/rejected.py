"""``schedules-pipeline rejected``: rejected input, and accepting a document that lost too many broadcasts."""

from collections.abc import Iterator
from datetime import datetime

import click

from schedules_pipeline.cli.answer import (
    Answer,
    Shown,
    answering,
    document_table,
    is_for_programs,
    print_shown,
)
from schedules_pipeline.cli.arguments import KEY
from schedules_pipeline.cli.endings import CommandExit, Ending
from schedules_pipeline.cli.printing import confirm, yes_option
from schedules_pipeline.cli.session import Session
from schedules_pipeline.cli.wording import counted
from schedules_pipeline.domain.identifiers import ScheduleKey, is_pid
from schedules_pipeline.publishing.accept_rejected import Proposal
from schedules_pipeline.publishing.judge_source import can_be_confirmed
from schedules_pipeline.publishing.ports.rejections import Rejection

_LISTING = "`schedules-pipeline rejected list`"


@click.group("rejected")
def command() -> None:
    """List rejected input, and accept documents that were rejected because they lost too much.

    Partners keep the state before the rejected input. A SUBJECT is a schedule (SID/DATE), a pid, or a message id.
    """


@command.command("list")
@answering
def list_(session: Session) -> Answer:
    """List the rejections, the latest first."""
    rejections = session.pipeline.store.rejections.all()
    latest = sorted(rejections.items(), key=lambda item: item[1].refused_at, reverse=True)
    document = {"rejected": [_fields(subject, rejection) for subject, rejection in latest]}
    if not latest:
        return Answer(document, "nothing is rejected")
    columns = ("kind", "subject", "rejected_at", "can_be_accepted", "reason")
    return Answer(document, [document_table(session, document["rejected"], *columns)])


@command.command("show")
@click.argument("subject")
@answering
def show(session: Session, subject: str) -> Answer:
    """Show one rejection, with the beginning of the rejected input."""
    rejection = _rejections(session, (subject,))[subject]
    document = {**_fields(subject, rejection), "digest": rejection.digest, "excerpt": rejection.excerpt}
    return Answer(document, _shown(session, subject, rejection))


@command.command("accept")
@click.argument("key", type=KEY, metavar="SID/DATE")
@yes_option
@answering
def accept(session: Session, key: ScheduleKey, yes: bool) -> Answer:
    """Accept a schedule document that was rejected because it lost too many broadcasts.

    Fetches it again, shows what partners would lose, and asks. An invalid document cannot be accepted.
    """
    documents = session.pipeline.rejected_documents
    proposal = documents.propose(key)
    if not is_for_programs():
        print_shown(_proposal_shown(session, proposal))
    confirm(f"Let {proposal.new_count} broadcasts replace {proposal.held_count}?", yes=yes)
    built = next(iter(documents.accept(proposal, session.cause(str(key))).built), None)
    document = {
        "schedule": str(key),
        "held_broadcasts": proposal.held_count,
        "new_broadcasts": proposal.new_count,
        "lost": [dict(lost) for lost in proposal.lost],
        "outcome": str(built.outcome) if built else "failed",
        "seq": built.seq if built else None,
    }
    if built is None:
        problem = f"{key}: confirmed, but it could not be fetched; the next publisher retries it"
        return Answer(document, (), Ending.NO_ANSWER, problem)
    return Answer(document, f"{key}: {built.outcome}, version {built.seq}")


@command.command("forget")
@click.argument("subjects", nargs=-1, required=True, metavar="SUBJECT...")
@answering
def forget(session: Session, subjects: tuple[str, ...]) -> Answer:
    """Remove rejections from the list. The input stays rejected."""
    forgotten = list(_rejections(session, subjects))
    session.pipeline.store.rejections.forget(forgotten)
    return Answer({"forgotten": forgotten}, f"forgot {counted(len(forgotten), 'rejection')}")


def _rejections(session: Session, subjects: tuple[str, ...]) -> dict[str, Rejection]:
    found = session.pipeline.store.rejections.find(list(dict.fromkeys(subjects)))
    if unknown := [subject for subject in subjects if subject not in found]:
        raise CommandExit(f"not rejected: {', '.join(unknown)}; see {_LISTING}")
    return found


def _shown(session: Session, subject: str, rejection: Rejection) -> Iterator[Shown]:
    yield f"{_kind(subject)} {subject}, rejected {session.local(rejection.refused_at)}"
    yield rejection.reason
    if can_be_confirmed(rejection):
        yield f"`schedules-pipeline rejected accept {subject}` shows what would be lost, and asks"
    yield "it begins:"
    yield rejection.excerpt


def _proposal_shown(session: Session, proposal: Proposal) -> Iterator[Shown]:
    yield f"{proposal.key}: {proposal.new_count} broadcasts would replace {proposal.held_count}; lost would be"
    lost = [{**each, "start": datetime.fromisoformat(each["start"])} for each in proposal.lost]
    yield document_table(session, lost, "start", "title", "subtitle", "broadcast_pid")


def _fields(subject: str, rejection: Rejection) -> dict[str, object]:
    return {
        "subject": subject,
        "kind": _kind(subject),
        "reason": rejection.reason,
        "rejected_at": rejection.refused_at,
        "can_be_accepted": can_be_confirmed(rejection),
    }


def _kind(subject: str) -> str:
    return "schedule" if "/" in subject else "item" if is_pid(subject) else "message"
