"""``schedules-pipeline dead-letters``: messages that could not be handled; listing, replaying, dropping."""

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import chain
from typing import Any, TypeVar

import click

from schedules_pipeline.cli.answer import (
    Answer,
    Shown,
    answering,
    confirm,
    document_table,
    members,
    until_failure,
)
from schedules_pipeline.cli.arguments import all_option, yes_option
from schedules_pipeline.cli.session import CommandExit, Ending, Session
from schedules_pipeline.cli.wording import counted
from schedules_pipeline.documents.notification import (
    parse_catalogue_notification,
    parse_schedule_notification,
)
from schedules_pipeline.errors import InvalidMessage
from schedules_pipeline.maintenance.dead_letters import (
    MOST_AT_ONCE,
    DeadLetters,
    PartlyHandled,
    ReplayResult,
)
from schedules_pipeline.publishing.ports.upstream import Message

_LISTED = 100

_Command = TypeVar("_Command", bound=Callable[..., Any])

_queue_option = click.option(
    "--queue",
    "which",
    type=click.Choice(["schedule", "catalogue", "both"]),
    default="both",
    show_default=True,
    help="The queue whose dead letters to use.",
)


def _limit_option(default: int) -> Callable[[_Command], _Command]:
    limit = click.IntRange(min=1)
    return click.option(
        "--limit", type=limit, default=default, show_default=True, help="At most this many of each queue."
    )


def _choosing(command: _Command) -> _Command:
    """Add the arguments ``ids``, ``everything``, ``which`` and ``limit``."""
    for option in (
        _limit_option(MOST_AT_ONCE),
        _queue_option,
        all_option("All of them."),
        click.argument("ids", nargs=-1, metavar="[ID]..."),
    ):
        command = option(command)
    return command


@click.group("dead-letters")
def command() -> None:
    """List messages that could not be handled, replay them, or drop them.

    Reading hides a message from other readers for some seconds; at the end it is made visible again. A message only
    says that something changed, so a replay is harmless.
    """


@command.command("list")
@_queue_option
@_limit_option(_LISTED)
@answering
def list_(session: Session, which: str, limit: int) -> Answer:
    """List dead letters, the oldest first."""
    found = {name: letters.peek(limit) for name, letters in _queues(session, which).items()}
    rows = {name: [_fields(name, message) for message in messages] for name, messages in found.items()}
    return Answer({"dead_letters": list(chain(*rows.values()))}, _list_shown(session, rows, limit))


@command.command("show")
@click.argument("message_id", metavar="ID")
@_queue_option
@answering
def show(session: Session, message_id: str, which: str) -> Answer:
    """Show one dead letter in full."""
    for name, letters in _queues(session, which).items():
        for message in letters.peek():
            if message.message_id == message_id:
                sent = session.local(message.sent_at)
                title = f"{message_id} of the {name} queue, sent {sent}, received {message.deliveries} times"
                reason = [f"rejected: {message.reason}"] if message.reason else []
                shown = [title, *reason, _says(name, message), message.body]
                return Answer(_fields(name, message), shown)
    raise CommandExit(f"no dead letter {message_id}; see `schedules-pipeline dead-letters list`")


@command.command("replay")
@_choosing
@answering
def replay(session: Session, ids: tuple[str, ...], everything: bool, which: str, limit: int) -> Answer:
    """Send dead letters to their original queue, and only then delete them here."""
    chosen = _chosen(ids, everything=everything)
    steps = _each(_queues(session, which), lambda letters: letters.replay(chosen, limit))
    return _report("replayed", steps, chosen)


@command.command("drop")
@_choosing
@yes_option
@answering
def drop(
    session: Session, ids: tuple[str, ...], everything: bool, which: str, limit: int, yes: bool
) -> Answer:
    """Delete dead letters for good. Only a reconcile or a coldstart finds the changes that they announced."""
    chosen = _chosen(ids, everything=everything)
    queues = _queues(session, which)
    count = sum(letters.depth().waiting for letters in queues.values())
    what = f"all dead letters, about {count}" if chosen is None else counted(len(chosen), "dead letter")
    confirm(f"Drop {what}, for good?", yes=yes)
    return _report("dropped", _each(queues, lambda letters: letters.drop(chosen, limit)), chosen)


def _queues(session: Session, which: str) -> dict[str, DeadLetters]:
    both = {
        "schedule": session.pipeline.schedule_dead_letters,
        "catalogue": session.pipeline.catalogue_dead_letters,
    }
    return both if which == "both" else {which: both[which]}


def _chosen(ids: tuple[str, ...], *, everything: bool) -> Collection[str] | None:
    """None for all."""
    if bool(ids) == everything:
        raise click.UsageError("name dead letters by their ids, or use --all")
    return None if everything else frozenset(ids)


def _each(
    queues: Mapping[str, DeadLetters], handle: Callable[[DeadLetters], ReplayResult]
) -> Iterator[tuple[str, ReplayResult]]:
    """The result of each queue. What a queue did before it failed is yielded before its error is raised."""
    for name, letters in queues.items():
        try:
            yield name, handle(letters)
        except PartlyHandled as error:
            yield name, error.result
            raise


def _report(done: str, steps: Iterator[tuple[str, ReplayResult]], chosen: Collection[str] | None) -> Answer:
    results, failure = until_failure(steps)
    handled = dict(results)
    ids = {name: list(h.done) for name, h in handled.items()}
    found = set(chain(*ids.values()))
    missing = [] if failure else sorted(set(chosen or ()) - found)
    has_more = any(h.has_more for h in handled.values())
    shown = [f"{done}: " + ", ".join(f"{len(these)} of the {name} queue" for name, these in ids.items())]
    if has_more and not failure:
        shown.append("it stopped at its limit; there may be more")
    if missing:
        shown.append(f"not found: {', '.join(missing)}")
    ending = Ending.WRONG if missing else Ending.WELL
    document = {done: ids, "missing": missing, "has_more": has_more}
    return Answer(document, shown, ending, failure=failure)


def _list_shown(
    session: Session, found: Mapping[str, list[dict[str, object]]], limit: int
) -> Iterator[Shown]:
    for name, rows in found.items():
        more = " or more" if len(rows) >= limit else ""
        yield f"{name}: {counted(len(rows), 'dead letter')}{more}"
        if rows:
            yield document_table(session, rows, "message_id", "sent_at", "deliveries", "reason", "says")


def _fields(name: str, message: Message) -> dict[str, object]:
    fields = members(message, "message_id", "sent_at", "deliveries", "reason")
    return {"queue": name, **fields, "says": _says(name, message), "body": message.body}


def _says(name: str, message: Message) -> str:
    """What the message announces, or why it cannot be decoded."""
    try:
        if name == "schedule":
            notification = parse_schedule_notification(message.body)
            keys = ", ".join(map(str, notification.keys)) or "nothing (a test event)"
            return f"{keys} {'removed' if notification.removal else 'put'}" if notification.keys else keys
        item = parse_catalogue_notification(message.body)
    except InvalidMessage as error:
        return f"invalid: {error}"
    return f"{item.action} {item.pid}"
