"""``schedules-pipeline refused``: input that was kept aside, and accepting what was refused for being shrunken."""

from datetime import datetime

import click

from schedules_pipeline.cli.arguments import KEY
from schedules_pipeline.cli.endings import CommandExit, Ending
from schedules_pipeline.cli.printing import confirm, json_option, print_json, print_table, say, yes_option
from schedules_pipeline.cli.session import Session, pass_session
from schedules_pipeline.cli.wording import counted, local, yes_no
from schedules_pipeline.domain.identifiers import ScheduleKey, is_pid
from schedules_pipeline.publishing.accept_rejected import Proposal
from schedules_pipeline.publishing.judge_source import can_be_confirmed
from schedules_pipeline.publishing.ports.rejections import Rejection


@click.group("refused", short_help="Input that was kept aside because it cannot be accepted.")
def command() -> None:
    """Look at input that was kept aside because it cannot be accepted.

    Partners go on seeing what there was before. A SUBJECT is a schedule (SID/DATE), a pid, or a message's id.
    """


@command.command("list")
@json_option
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List what is refused, the latest first."""
    rejected = session.pipeline.store.rejections.all()
    latest = sorted(rejected.items(), key=lambda item: item[1].refused_at, reverse=True)
    if as_json:
        print_json({"refused": [_fields(subject, rejection) for subject, rejection in latest]})
        return
    if not latest:
        say("nothing is refused")
        return
    zone = session.pipeline.calendar.zone
    print_table(
        ["what", "subject", "refused", "can be accepted", "reason"],
        [[_kind(s), s, local(r.refused_at, zone), yes_no(can_be_confirmed(r)), r.reason] for s, r in latest],
    )


@command.command("show")
@click.argument("subject")
@json_option
@pass_session
def show(session: Session, subject: str, as_json: bool) -> None:
    """Show one refusal, with the beginning of what was refused."""
    rejection = _rejections(session, (subject,))[subject]
    if as_json:
        print_json({**_fields(subject, rejection), "digest": rejection.digest, "excerpt": rejection.excerpt})
        return
    say(f"{_kind(subject)} {subject}, refused {local(rejection.refused_at, session.pipeline.calendar.zone)}")
    say(rejection.reason)
    if can_be_confirmed(rejection):
        say(f"`schedules-pipeline refused accept {subject}` shows what would be lost, and asks")
    say("it begins:")
    say(rejection.excerpt)


@command.command("accept")
@click.argument("key", type=KEY, metavar="SID/DATE")
@yes_option
@json_option
@pass_session
def accept(session: Session, key: ScheduleKey, yes: bool, as_json: bool) -> None:
    """Accept a schedule document that was refused for having lost too many broadcasts.

    Fetches it again, shows what partners would lose, and asks. An invalid document cannot be accepted.
    """
    documents = session.pipeline.rejected_documents
    proposal = documents.propose(key)
    if not as_json:
        _print_proposal(session, proposal)
    confirm(f"Let {proposal.new_count} broadcasts replace {proposal.held_count}?", yes=yes)
    batch = documents.accept(proposal, session.cause(str(key)))
    built = next(iter(batch.built), None)
    if as_json:
        outcome = (
            {"outcome": str(built.outcome), "seq": built.seq} if built else {"outcome": "failed", "seq": None}
        )
        print_json({**_proposal_fields(proposal), **outcome})
    elif built:
        say(f"{key}: {built.outcome}, version {built.seq}")
    if built is None:
        raise CommandExit(
            f"{key}: confirmed, but not fetched; it is tried again by any publisher", Ending.NO_ANSWER
        )


@command.command("forget")
@click.argument("subjects", nargs=-1, required=True, metavar="SUBJECT...")
@json_option
@pass_session
def forget(session: Session, subjects: tuple[str, ...], as_json: bool) -> None:
    """Strike refusals off the list. What was refused stays refused."""
    forgotten = list(_rejections(session, subjects))
    session.pipeline.store.rejections.forget(forgotten)
    if as_json:
        print_json({"forgotten": forgotten})
    else:
        say(f"forgot {counted(len(forgotten), 'rejection')}")


def _rejections(session: Session, subjects: tuple[str, ...]) -> dict[str, Rejection]:
    found = session.pipeline.store.rejections.find(list(dict.fromkeys(subjects)))
    if strangers := [subject for subject in subjects if subject not in found]:
        raise CommandExit(
            f"not refused: {', '.join(strangers)}; `schedules-pipeline refused list` says what is"
        )
    return found


def _print_proposal(session: Session, proposal: Proposal) -> None:
    zone = session.pipeline.calendar.zone
    say(f"{proposal.key}: {proposal.new_count} broadcasts would replace {proposal.held_count}; lost would be")
    print_table(
        ["start", "title", "subtitle", "broadcast"],
        [
            [
                local(datetime.fromisoformat(lost["start"]), zone),
                lost["title"],
                lost["subtitle"],
                lost["broadcast_pid"],
            ]
            for lost in proposal.lost
        ],
    )


def _proposal_fields(proposal: Proposal) -> dict[str, object]:
    return {
        "schedule": str(proposal.key),
        "held_broadcasts": proposal.held_count,
        "new_broadcasts": proposal.new_count,
        "lost": [dict(lost) for lost in proposal.lost],
    }


def _fields(subject: str, rejection: Rejection) -> dict[str, object]:
    return {
        "subject": subject,
        "kind": _kind(subject),
        "reason": rejection.reason,
        "refused_at": rejection.refused_at,
        "can_be_accepted": can_be_confirmed(rejection),
    }


def _kind(subject: str) -> str:
    return "schedule" if "/" in subject else "item" if is_pid(subject) else "message"
