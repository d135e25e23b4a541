"""``schedules-pipeline dead-letters``: messages that nobody could handle; looking, sending again, dropping."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import click

from schedules_pipeline.cli.endings import CommandExit, Ending, end_as
from schedules_pipeline.cli.printing import confirm, json_option, print_json, print_table, say, yes_option
from schedules_pipeline.cli.session import Session, pass_session
from schedules_pipeline.cli.wording import counted, local
from schedules_pipeline.documents.notification import (
    parse_catalogue_notification,
    parse_schedule_notification,
)
from schedules_pipeline.errors import InvalidMessage
from schedules_pipeline.maintenance.dead_letters import MOST_AT_ONCE, DeadLetters, ReplayResult
from schedules_pipeline.publishing.ports.upstream import Message

_LOOKED_AT = 100

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _queue_option(command: _Command) -> _Command:
    choice = click.Choice(["schedule", "catalogue", "both"])
    option = click.option(
        "--queue", "which", type=choice, default="both", show_default=True, help="Whose dead letters."
    )
    return option(command)


def _limit_option(default: int) -> Callable[[_Command], _Command]:
    return click.option(
        "--limit",
        type=click.IntRange(min=1),
        default=default,
        show_default=True,
        help="At most so many of a queue.",
    )


@click.group("dead-letters", short_help="Messages that nobody could handle.")
def command() -> None:
    """Look at messages that nobody could handle, send them again, or drop them.

    Looking hides a message from others for some seconds; it is shown again at the end. A message only says that
    something changed, so sending one again is harmless.
    """


@command.command("list")
@_queue_option
@_limit_option(_LOOKED_AT)
@json_option
@pass_session
def list_(session: Session, which: str, limit: int, as_json: bool) -> None:
    """List dead letters, the oldest first."""
    found = {name: letters.look(limit) for name, letters in _queues(session, which).items()}
    if as_json:
        rows = [_fields(name, message) for name, messages in found.items() for message in messages]
        print_json({"dead_letters": rows})
        return
    for name, messages in found.items():
        more = " or more" if len(messages) >= limit else ""
        say(f"{name}: {counted(len(messages), 'dead letter')}{more}")
        if messages:
            zone = session.pipeline.calendar.zone
            print_table(
                ["id", "sent", "received>", "says"],
                [[m.message_id, local(m.sent_at, zone), m.deliveries, _says(name, m)] for m in messages],
            )


@command.command("show")
@click.argument("message_id", metavar="ID")
@_queue_option
@json_option
@pass_session
def show(session: Session, message_id: str, which: str, as_json: bool) -> None:
    """Show one dead letter in full."""
    for name, letters in _queues(session, which).items():
        for message in letters.look():
            if message.message_id == message_id:
                _show(session, name, message, as_json=as_json)
                return
    raise CommandExit(
        f"no dead letter {message_id}; `schedules-pipeline dead-letters list` says which there are"
    )


@command.command("replay")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@_queue_option
@_limit_option(MOST_AT_ONCE)
@json_option
@pass_session
def replay(
    session: Session,
    ids: tuple[str, ...],
    everything: bool,
    which: str,
    limit: int,
    as_json: bool,
) -> None:
    """Send dead letters to the queue that they came from, and only then delete them here."""
    chosen = _chosen(ids, everything=everything)
    queues = _queues(session, which)
    handled = {name: letters.replay(chosen, limit) for name, letters in queues.items()}
    _report("replayed", handled, chosen, as_json=as_json)


@command.command("drop")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@_queue_option
@_limit_option(MOST_AT_ONCE)
@yes_option
@json_option
@pass_session
def drop(
    session: Session,
    ids: tuple[str, ...],
    everything: bool,
    which: str,
    limit: int,
    yes: bool,
    as_json: bool,
) -> None:
    """Delete dead letters for good. What they announced is found again only by a reconcile or a coldstart."""
    chosen = _chosen(ids, everything=everything)
    queues = _queues(session, which)
    there = sum(letters.depth().waiting for letters in queues.values())
    what = f"all dead letters, about {there}" if chosen is None else counted(len(chosen), "dead letter")
    confirm(f"Drop {what}, for good?", yes=yes)
    handled = {name: letters.drop(chosen, limit) for name, letters in queues.items()}
    _report("dropped", handled, chosen, as_json=as_json)


def _queues(session: Session, which: str) -> dict[str, DeadLetters]:
    both = {
        "schedule": session.pipeline.schedule_dead_letters,
        "catalogue": session.pipeline.catalogue_dead_letters,
    }
    return both if which == "both" else {which: both[which]}


def _chosen(ids: tuple[str, ...], *, everything: bool) -> Collection[str] | None:
    """None for all."""
    if bool(ids) == everything:
        raise click.UsageError("name dead letters by their ids, or say --all")
    return None if everything else frozenset(ids)


def _report(
    done: str, handled: Mapping[str, ReplayResult], chosen: Collection[str] | None, *, as_json: bool
) -> None:
    ids = {name: list(h.done) for name, h in handled.items()}
    missing = sorted(set(chosen or ()) - {id_ for found in ids.values() for id_ in found})
    has_more = any(h.has_more for h in handled.values())
    if as_json:
        print_json({done: ids, "missing": missing, "has_more": has_more})
    else:
        say(f"{done}: " + ", ".join(f"{len(found)} of the {name} queue" for name, found in ids.items()))
        if has_more:
            say("it stopped at its limit; there may be more")
        if missing:
            say(f"not found: {', '.join(missing)}")
    if missing:
        end_as(Ending.WRONG)


def _show(session: Session, name: str, message: Message, *, as_json: bool) -> None:
    if as_json:
        print_json(_fields(name, message))
        return
    sent = local(message.sent_at, session.pipeline.calendar.zone)
    say(f"{message.message_id} of the {name} queue, sent {sent}, received {message.deliveries} times")
    say(_says(name, message))
    say(message.body)


def _fields(name: str, message: Message) -> dict[str, object]:
    return {
        "queue": name,
        "message_id": message.message_id,
        "sent_at": message.sent_at,
        "deliveries": message.deliveries,
        "says": _says(name, message),
        "body": message.body,
    }


def _says(name: str, message: Message) -> str:
    """What it would have told us, or why it tells nothing."""
    try:
        if name == "schedule":
            notification = parse_schedule_notification(message.body)
            keys = ", ".join(map(str, notification.keys)) or "nothing (a test event)"
            return f"{keys} {'removed' if notification.removal else 'put'}" if notification.keys else keys
        item = parse_catalogue_notification(message.body)
    except InvalidMessage as error:
        return f"invalid: {error}"
    return f"{item.action} {item.kind} {item.pid}"
