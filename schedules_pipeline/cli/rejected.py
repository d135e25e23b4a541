"""``schedules-pipeline rejected``: rejected input."""

from collections.abc import Iterator

import click

from schedules_pipeline.cli import holds
from schedules_pipeline.cli.answer import Answer, Shown, answering, document_table, remark
from schedules_pipeline.cli.arguments import KEY, yes_option
from schedules_pipeline.cli.session import CommandExit, Session
from schedules_pipeline.cli.wording import counted
from schedules_pipeline.domain.identifiers import ScheduleKey, is_pid
from schedules_pipeline.publishing.ports.rejections import Rejection

_LISTING = "`schedules-pipeline rejected list`"


@click.group("rejected")
def command() -> None:
    """List rejected input.

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
    columns = ("kind", "subject", "rejected_at", "reason")
    return Answer(document, [document_table(session, document["rejected"], *columns)])


@command.command("show")
@click.argument("subject")
@answering
def show(session: Session, subject: str) -> Answer:
    """Show one rejection, with the beginning of the rejected input."""
    rejection = _rejections(session, (subject,))[subject]
    document = {**_fields(subject, rejection), "digest": rejection.digest, "excerpt": rejection.excerpt}
    return Answer(document, _shown(session, subject, rejection))


@command.command("accept", hidden=True)
@click.argument("key", type=KEY, metavar="SID/DATE")
@yes_option
@click.pass_context
def accept(context: click.Context, key: ScheduleKey, yes: bool) -> None:
    """The old name of ``holds confirm``."""
    remark("warning: `rejected accept` is now `holds confirm`; the old name goes in version 0.3")
    context.invoke(holds.confirm, hold_ids=(str(key),), yes=yes)


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
    yield "it begins:"
    yield rejection.excerpt


def _fields(subject: str, rejection: Rejection) -> dict[str, object]:
    return {
        "subject": subject,
        "kind": _kind(subject),
        "reason": rejection.reason,
        "rejected_at": rejection.refused_at,
    }


def _kind(subject: str) -> str:
    return "schedule" if "/" in subject else "item" if is_pid(subject) else "message"
